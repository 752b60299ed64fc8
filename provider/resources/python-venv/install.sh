#!/bin/sh
# Makes a Python environment from a lock with hashes and puts it in place all at once. Stdin: the lock.
# Parameters: folder of the environment, its record, folder to make it in, cache of packages, folder of
# interpreters, wheel of uv, Python that is wanted, address of Python builds, then the arguments that name the
# indexes. `listing` prints all below the working directory, one line each.
set -u
umask 022
fail() { echo "$*" >&2; exit 1; }
folder=$1 record=$2 staging=$3 cache=$4 pythons=$5 wheel=$6 python=$7 builds=$8
shift 8

cat > ./lock || exit 1
[ -f "$wheel" ] || fail "$wheel is not there: the wheel of uv comes before the environment"
command -v python3 > /dev/null || fail 'unpacking uv needs python3, which this machine does not have: install the package python3'
mkdir -p -- "$staging" "$(dirname -- "$folder")" "$(dirname -- "$record")" || exit 1
# What was begun for another lock of this name is of no use any more.
for other in "$(dirname -- "$staging")"/*/; do [ "$other" = "$staging/" ] || rm -rf -- "$other"; done
rm -rf -- "$staging/uv" "$staging/venv"
trap 'rm -rf -- "$staging"' EXIT
python3 -m zipfile -e "$wheel" "$staging/uv" || fail "$wheel is no wheel of uv"
uv=$(find "$staging/uv" -type f -path '*/scripts/uv')
[ -n "$uv" ] && chmod 0755 "$uv" || fail "$wheel holds no uv"

# Copies: a file that is changed in the environment must not change in the cache, from which it is repaired.
export UV_CACHE_DIR="$cache" UV_LINK_MODE=copy UV_PYTHON_INSTALL_DIR="$pythons" UV_PYTHON_INSTALL_MIRROR="$builds" \
  UV_PYTHON_PREFERENCE=system UV_NO_CONFIG=1 UV_NO_PROGRESS=1 UV_HTTP_TIMEOUT=120
system() { python3 -c 'import platform; print("Python", platform.python_version())' 2> /dev/null || echo 'no Python'; }

# Relocatable, as it is made beside its place.
venv() { "$uv" venv "$@" --quiet --relocatable --no-project --python "$python" "$staging/venv"; }
if ! venv --offline > ./offline 2>&1; then
  echo "the system has $(system), and $python is wanted: fetching it"
  venv || fail "no Python that fits $python: this system has $(system), and none could be fetched from $builds"
fi
# Without the indexes first: a repair needs none. No package's build runs: what has no wheel is refused.
sync() { "$uv" pip sync "$@" --require-hashes --no-build --compile-bytecode --python "$staging/venv/bin/python" ./lock; }
echo 'installing the packages of the lock'
if ! sync --offline "$@" > ./offline 2>&1; then
  echo 'fetching packages that are not in the cache'
  sync "$@" || fail 'the packages of the lock cannot be installed; uv says why above'
fi

rm -rf -- "$staging/uv"
chown -hR 0:0 -- "$staging/venv" && (cd "$staging/venv" && { echo installed && listing; }) > "$staging/record" || exit 1
[ ! -e "$folder" ] || mv -T -- "$folder" "$staging/old" || exit 1
mv -T -- "$staging/venv" "$folder" && mv -fT -- "$staging/record" "$record" || exit 1
echo 'in place'
