#!/usr/bin/env bash
# Installs and removes the name server on a host where deploy/install.sh has put the program.
#
#   deploy/install-mcns.sh install [--root DIR]
#   deploy/install-mcns.sh uninstall [--purge] [--root DIR]
#
# install   running it again changes nothing that is as it should be, and never a configuration, a
#           certificate or a database that is there. Root follows no link below /srv/mcns, which
#           belongs to the service's user.
# uninstall leaves /srv/mcns alone, unless --purge is given.
#
# --root    works below DIR for packaging: no user, no services
set -euo pipefail

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
USER_NAME=mcns
UNITS=(mcns.service mcns-backup.service mcns-backup.timer)

die() { echo "install-mcns.sh: $*" >&2; exit 1; }
say() { echo "install-mcns.sh: $*"; }
usage() { sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

command=${1:-}
if (($#)); then shift; fi
root='' purge=''
while (($#)); do
  case $1 in
    --root) root=${2:?--root needs a directory}; shift 2 ;;
    --purge) purge=yes; shift ;;
    *) usage >&2; echo "install-mcns.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

DATA=$root/srv/mcns
UNIT_DIR=$root/etc/systemd/system
COMMAND_LINK=$root/usr/local/bin/mcns

on_this_host() { [[ -z $root ]]; }
systemd_runs() { on_this_host && [[ -d /run/systemd/system ]]; }

require_root() {
  if on_this_host && [[ $(id -u) != 0 ]]; then die "run it as root"; fi
}

make_user() {
  on_this_host || return 0
  id -u "$USER_NAME" >/dev/null 2>&1 && return 0
  useradd --system --user-group --no-create-home --home-dir /srv/mcns \
    --shell /usr/sbin/nologin "$USER_NAME"
  say "made the user $USER_NAME"
}

as_user() {
  if ! on_this_host; then "$@"; return; fi
  setpriv --reuid "$USER_NAME" --regid "$USER_NAME" --init-groups --no-new-privs --reset-env -- "$@"
}

# Whoever may write below $DATA may put a link there, to have root write what it points to.
refuse_links() {
  local path
  for path in "$DATA" "$DATA/certs" "$DATA/backups" "$DATA/mcns.toml"; do
    if [[ -L $path ]]; then die "$path is a link: nothing was changed"; fi
  done
}

make_folders() {
  local owner=()
  if on_this_host; then owner=(-o "$USER_NAME" -g "$USER_NAME"); fi
  install -d "${owner[@]}" -m 0700 "$DATA"
  as_user mkdir -p -m 0700 "$DATA/certs" "$DATA/backups"
  if [[ ! -e $DATA/mcns.toml ]]; then
    (umask 077 && as_user dd status=none conv=excl of="$DATA/mcns.toml" \
      <"$SOURCE/deploy/examples/mcns.toml")
    say "wrote an example configuration to $DATA/mcns.toml: edit it"
  fi
}

do_install() {
  require_root
  [[ -e $root/opt/mc-proxy/lib/cli/mcns.ts ]] || die "run deploy/install.sh first: it installs the program"
  refuse_links
  make_user
  make_folders
  install -d -m 0755 "$UNIT_DIR" "$(dirname "$COMMAND_LINK")"
  local unit
  for unit in "${UNITS[@]}"; do install -m 0644 "$SOURCE/deploy/$unit" "$UNIT_DIR/$unit"; done
  ln -sfn /opt/mc-proxy/bin/mcns "$COMMAND_LINK"
  if systemd_runs; then
    systemctl daemon-reload
    systemctl -q enable mcns.service
    systemctl -q enable --now mcns-backup.timer
    systemctl try-restart mcns.service
  fi
  say "installed; edit $DATA/mcns.toml, then: systemctl start mcns"
}

do_uninstall() {
  require_root
  if systemd_runs; then
    systemctl -q disable --now mcns.service mcns-backup.timer 2>/dev/null || true
  fi
  local unit
  for unit in "${UNITS[@]}"; do rm -f "$UNIT_DIR/$unit"; done
  if systemd_runs; then systemctl daemon-reload; fi
  rm -f "$COMMAND_LINK"
  if [[ -n $purge ]]; then
    rm -rf "$DATA"
    if on_this_host && id -u "$USER_NAME" >/dev/null 2>&1; then userdel "$USER_NAME"; fi
    say "removed, with $DATA"
  else
    say "removed; $DATA is still there"
  fi
}

case $command in
  install) do_install ;;
  uninstall) do_uninstall ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
