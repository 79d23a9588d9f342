#!/usr/bin/env bash
# Installs, upgrades, rolls back and removes mc-proxy on a host with systemd.
#
#   deploy/install.sh install [--deno PATH] [--cache DIR] [--root DIR]
#   deploy/install.sh rollback [--root DIR]
#   deploy/install.sh uninstall [--purge] [--root DIR]
#
# install   also upgrades; running it again changes nothing that is as it should be. It never
#           touches a configuration, a certificate or a database that is there. An upgrade whose
#           program refuses the present configuration stops before anything was changed.
#           What is below /srv/mc-proxy belongs to the service's user, so root follows no link there:
#           links are refused, and that user makes the files and checks the configuration.
# rollback  goes back to what was installed before the last upgrade.
# uninstall leaves /srv/mc-proxy alone, unless --purge is given.
#
# --deno    the Deno binary to install; without it the npm package deno is used
# --cache   copies the dependencies from the DENO_DIR of another machine or user, for a host that
#           cannot reach npm
# --root    works below DIR for packaging: no user, no packages, no services
#
# Downloads come from npm (Deno, dependencies) and apt (libjemalloc2) only.
set -euo pipefail

DENO_VERSION=2.9.6
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
USER_NAME=mc-proxy
UNITS=(mc-proxy.service mc-proxy.socket mc-proxy-backup.service mc-proxy-backup.timer)
PARTS=(main.ts deno.json deno.lock lib proto deploy README.md LICENSE)

# shellcheck source-path=SCRIPTDIR source=host.sh
source "$SOURCE/deploy/host.sh"

usage() { sed -n '2,24s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

command=${1:-}
if (($#)); then shift; fi
deno='' cache='' root='' purge=''
while (($#)); do
  case $1 in
    --deno) deno=${2:?--deno needs a path}; shift 2 ;;
    --cache) cache=${2:?--cache needs a directory}; shift 2 ;;
    --root) root=${2:?--root needs a directory}; shift 2 ;;
    --purge) purge=yes; shift ;;
    *) usage >&2; echo "install.sh: unknown option $1" >&2; exit 2 ;;
  esac
done

OPT=$root/opt/mc-proxy
PREVIOUS=$root/opt/mc-proxy.previous
NEXT=$root/opt/mc-proxy.next
DATA=$root/srv/mc-proxy
CONFIG=$DATA/mc-proxy.toml
UNIT_DIR=$root/etc/systemd/system
SYSCTL=$root/etc/sysctl.d/90-mc-proxy.conf
COMMAND_LINK=$root/usr/local/bin/mc-proxy
CLIENT_LINK=$root/usr/local/bin/mcproxyctl

install_allocator() {
  on_this_host || return 0
  compgen -G '/usr/lib*/libjemalloc.so.2' >/dev/null && return 0
  compgen -G '/usr/lib/*/libjemalloc.so.2' >/dev/null && return 0
  if command -v apt-get >/dev/null; then
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends libjemalloc2 \
      >/dev/null && return 0
  fi
  say "libjemalloc.so.2 is not installed: l7 routes will run at about half the speed"
}

# The path of a Deno binary of the right version.
find_deno() {
  if [[ -z $deno ]]; then
    command -v npx >/dev/null || die "give --deno PATH, or install npm"
    deno=$(npx -y "deno@$DENO_VERSION" eval 'console.log(Deno.execPath())')
  fi
  [[ -x $deno ]] || die "$deno is not a program"
  local version
  version=$("$deno" eval 'console.log(Deno.version.deno)')
  [[ $version == "$DENO_VERSION" ]] || die "$deno is Deno $version, not $DENO_VERSION"
}

# Builds the new program beside the old one, with its dependencies in its own cache.
build_next() {
  rm -rf "$NEXT"
  install -d -m 0755 "$NEXT" "$NEXT/bin"
  local part
  for part in "${PARTS[@]}"; do
    if [[ -e $SOURCE/$part ]]; then cp -R "$SOURCE/$part" "$NEXT/"; fi
  done
  install -m 0755 "$deno" "$NEXT/bin/deno"
  install -m 0755 "$SOURCE/deploy/bin/"* "$NEXT/bin/"
  fetch_dependencies
  chmod -R u=rwX,go=rX "$NEXT"
}

fetch_dependencies() {
  local from_cache=()
  if [[ -n $cache ]]; then
    [[ -d $cache/npm ]] || die "$cache has no npm folder: it is not a DENO_DIR"
    install -d -m 0755 "$NEXT/.deno"
    cp -R "$cache/npm" "$NEXT/.deno/"
    from_cache=(--cached-only)
  fi
  (cd "$NEXT" && DENO_DIR=$NEXT/.deno bin/deno install --quiet --frozen "${from_cache[@]}" \
    --entrypoint main.ts lib/cli/mcproxyctl.ts lib/cli/mcns.ts lib/cli/mcnsctl.ts deploy/backup.ts) || die "could not get the dependencies"
}

# The new program has to accept the configuration that is there, and may read for that what the
# service may read: the configuration names files, and its complaints show what is in them.
check_config() {
  [[ -f $CONFIG ]] || return 0
  as_user env DENO_DIR="$NEXT/.deno" "$NEXT/bin/deno" run --cached-only --no-prompt --frozen \
    --no-remote --ignore-env --allow-read "$NEXT/main.ts" check -c "$CONFIG" ||
    die "the new version refuses $CONFIG: nothing was changed"
}

swap_in() {
  rm -rf "$PREVIOUS"
  if [[ -d $OPT ]]; then mv "$OPT" "$PREVIOUS"; fi
  mv "$NEXT" "$OPT"
  warm_up
}

# Compiled modules are cached by path, and the service cannot write: fill the cache now.
warm_up() {
  DENO_DIR=$OPT/.deno "$OPT/bin/deno" run --cached-only --no-prompt --frozen --no-remote \
    --ignore-env --allow-read="$OPT" "$OPT/main.ts" --version >/dev/null
  local client
  for client in mcproxyctl mcnsctl; do
    DENO_DIR=$OPT/.deno "$OPT/bin/deno" run --cached-only --no-prompt --frozen --no-remote \
      --ignore-env "$OPT/lib/cli/$client.ts" --version >/dev/null
  done
  DENO_DIR=$OPT/.deno "$OPT/bin/deno" run --cached-only --no-prompt --frozen --no-remote \
    --ignore-env --allow-read="$OPT" "$OPT/lib/cli/mcns.ts" --version >/dev/null
  chmod -R u=rwX,go=rX "$OPT/.deno"
}

install_system_files() {
  install -d -m 0755 "$UNIT_DIR" "$(dirname "$SYSCTL")" "$(dirname "$COMMAND_LINK")"
  local unit
  for unit in "${UNITS[@]}"; do
    install -m 0644 "$SOURCE/deploy/$unit" "$UNIT_DIR/$unit"
  done
  install -m 0644 "$SOURCE/deploy/mc-proxy.service" "$UNIT_DIR/mc-proxy@.service"
  ln -sfn /opt/mc-proxy/bin/mc-proxy "$COMMAND_LINK"
  ln -sfn /opt/mc-proxy/bin/mcproxyctl "$CLIENT_LINK"
  install_completions mc-proxy main.ts
  install_completions mcproxyctl lib/cli/mcproxyctl.ts
  if [[ ! -e $SYSCTL ]]; then
    install -m 0644 "$SOURCE/deploy/90-mc-proxy.conf" "$SYSCTL"
  fi
  if on_this_host && ! sysctl -q -p "$SYSCTL" 2>/dev/null; then
    say "this host does not allow all of $SYSCTL"
  fi
}

# Also after a rollback: whatever is in $OPT now.
restart() {
  if ! systemd_runs; then return 0; fi
  systemctl daemon-reload
  systemctl -q enable mc-proxy.service
  systemctl -q enable --now mc-proxy-backup.timer
  "$OPT/bin/mc-proxy-restart" --if-running
  # It runs the same program, and its workers are loaded from there whenever one is replaced.
  if [[ -e $UNIT_DIR/mcns.service ]]; then systemctl try-restart mcns.service; fi
}

do_install() {
  require_root
  refuse_links
  find_deno
  make_user
  install_allocator
  install -d -m 0755 "$root/opt"
  build_next
  check_config
  local new_config=''
  if [[ ! -e $CONFIG ]]; then new_config=yes; fi
  make_folders "$SOURCE/deploy/examples/public-edge.toml"
  swap_in
  install_system_files
  restart
  if [[ -n $new_config ]]; then
    say "installed; edit $CONFIG, then: systemctl start mc-proxy"
  else
    say "installed"
  fi
}

do_rollback() {
  require_root
  [[ -d $PREVIOUS ]] || die "there is nothing to go back to"
  mv "$OPT" "$NEXT"
  mv "$PREVIOUS" "$OPT"
  mv "$NEXT" "$PREVIOUS"
  warm_up
  local unit
  for unit in "${UNITS[@]}"; do install -m 0644 "$OPT/deploy/$unit" "$UNIT_DIR/$unit"; done
  install -m 0644 "$OPT/deploy/mc-proxy.service" "$UNIT_DIR/mc-proxy@.service"
  restart
  say "went back to the version before"
}

do_uninstall() {
  require_root
  if [[ -e $UNIT_DIR/mcns.service ]]; then
    die "the name server runs this program, remove it first: deploy/install-mcns.sh uninstall"
  fi
  if systemd_runs; then
    systemctl -q disable --now mc-proxy.service mc-proxy-backup.timer 2>/dev/null || true
    systemctl -q stop mc-proxy@next.service 2>/dev/null || true
  fi
  local unit
  for unit in "${UNITS[@]}" mc-proxy@.service; do rm -f "$UNIT_DIR/$unit"; done
  if systemd_runs; then systemctl daemon-reload; fi
  rm -f "$SYSCTL" "$COMMAND_LINK" "$CLIENT_LINK"
  remove_completions mc-proxy mcproxyctl
  rm -rf "$OPT" "$PREVIOUS" "$NEXT"
  remove_data "$purge"
}

case $command in
  install) do_install ;;
  rollback) do_rollback ;;
  uninstall) do_uninstall ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
