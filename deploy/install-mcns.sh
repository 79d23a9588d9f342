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

# shellcheck source-path=SCRIPTDIR source=host.sh
source "$SOURCE/deploy/host.sh"

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
CONFIG=$DATA/mcns.toml
UNIT_DIR=$root/etc/systemd/system
COMMAND_LINK=$root/usr/local/bin/mcns
CLIENT_LINK=$root/usr/local/bin/mcnsctl

do_install() {
  require_root
  [[ -e $root/opt/mc-proxy/lib/cli/mcns.ts ]] || die "run deploy/install.sh first: it installs the program"
  refuse_links
  make_user
  make_folders "$SOURCE/deploy/examples/mcns.toml"
  install -d -m 0755 "$UNIT_DIR" "$(dirname "$COMMAND_LINK")"
  local unit
  for unit in "${UNITS[@]}"; do install -m 0644 "$SOURCE/deploy/$unit" "$UNIT_DIR/$unit"; done
  ln -sfn /opt/mc-proxy/bin/mcns "$COMMAND_LINK"
  ln -sfn /opt/mc-proxy/bin/mcnsctl "$CLIENT_LINK"
  install_completions mcns lib/cli/mcns.ts
  install_completions mcnsctl lib/cli/mcnsctl.ts
  if systemd_runs; then
    systemctl daemon-reload
    systemctl -q enable mcns.service
    systemctl -q enable --now mcns-backup.timer
    systemctl try-restart mcns.service
  fi
  say "installed; edit $CONFIG, then: systemctl start mcns"
}

do_uninstall() {
  require_root
  if systemd_runs; then
    systemctl -q disable --now mcns.service mcns-backup.timer 2>/dev/null || true
  fi
  local unit
  for unit in "${UNITS[@]}"; do rm -f "$UNIT_DIR/$unit"; done
  if systemd_runs; then systemctl daemon-reload; fi
  rm -f "$COMMAND_LINK" "$CLIENT_LINK"
  remove_completions mcns mcnsctl
  remove_data "$purge"
}

case $command in
  install) do_install ;;
  uninstall) do_uninstall ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
