# What install.sh and install-mcns.sh do alike. They set, before these are called:
#   root       works below it for packaging; empty on this host
#   USER_NAME  the service's user
#   DATA       its folder, below $root
#   CONFIG     its configuration in there
# shellcheck shell=bash disable=SC2154

die() { echo "${0##*/}: $*" >&2; exit 1; }
say() { echo "${0##*/}: $*"; }

on_this_host() { [[ -z $root ]]; }
systemd_runs() { on_this_host && [[ -d /run/systemd/system ]]; }

require_root() {
  if on_this_host && [[ $(id -u) != 0 ]]; then die "run it as root"; fi
}

make_user() {
  on_this_host || return 0
  id -u "$USER_NAME" >/dev/null 2>&1 && return 0
  useradd --system --user-group --no-create-home --home-dir "$DATA" \
    --shell /usr/sbin/nologin "$USER_NAME"
  say "made the user $USER_NAME"
}

# Runs a program as the service's user, with nothing of root's. Below a packager's root: as whoever
# runs the script.
as_user() {
  if ! on_this_host; then "$@"; return; fi
  setpriv --reuid "$USER_NAME" --regid "$USER_NAME" --init-groups --no-new-privs --reset-env -- "$@"
}

# Whoever may write below $DATA may put a link there, to have root write, own or read what it points
# to. /srv is root's, so nobody swaps $DATA itself between the look and the use.
refuse_links() {
  local path
  for path in "$DATA" "$DATA/certs" "$DATA/backups" "$CONFIG"; do
    if [[ -L $path ]]; then die "$path is a link: nothing was changed"; fi
  done
}

# The folders of the service, and an example configuration where there is none.
make_folders() {
  local example=$1 owner=()
  if on_this_host; then owner=(-o "$USER_NAME" -g "$USER_NAME"); fi
  install -d "${owner[@]}" -m 0700 "$DATA"
  as_user mkdir -p -m 0700 "$DATA/certs" "$DATA/backups"
  if [[ -e $CONFIG ]]; then return; fi
  # Through a pipe, because the user need not be able to read the sources; excl follows no link.
  (umask 077 && as_user dd status=none conv=excl of="$CONFIG" <"$example")
  say "wrote an example configuration to $CONFIG: edit it"
}

# Takes the data and the user away, if $1 is not empty.
remove_data() {
  if [[ -z $1 ]]; then
    say "removed; $DATA is still there"
    return
  fi
  rm -rf "$DATA"
  if on_this_host && id -u "$USER_NAME" >/dev/null 2>&1; then userdel "$USER_NAME"; fi
  say "removed, with $DATA"
}

# Shells that programs have completions for.
SHELLS=(bash zsh fish)

# Where a shell looks for the completions of a program.
completions_file() {
  local shell=$1 name=$2
  case $shell in
    bash) echo "$root/usr/share/bash-completion/completions/$name" ;;
    zsh) echo "$root/usr/share/zsh/vendor-completions/_$name" ;;
    fish) echo "$root/usr/share/fish/vendor_completions.d/$name.fish" ;;
  esac
}

# Of the program $1, whose script below /opt/mc-proxy is $2. A shell without them is not worth failing
# for.
install_completions() {
  local name=$1 script=$2 opt=$root/opt/mc-proxy shell file
  for shell in "${SHELLS[@]}"; do
    file=$(completions_file "$shell" "$name")
    install -d -m 0755 "$(dirname "$file")"
    DENO_DIR=$opt/.deno "$opt/bin/deno" run --cached-only --no-prompt --frozen --no-remote \
      --ignore-env --allow-read="$opt" "$opt/$script" completions "$shell" >"$file" || {
      rm -f "$file"
      say "no completions of $name for $shell"
    }
  done
}

# Of these programs.
remove_completions() {
  local name shell
  for name in "$@"; do
    for shell in "${SHELLS[@]}"; do rm -f "$(completions_file "$shell" "$name")"; done
  done
}
