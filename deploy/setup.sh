#!/usr/bin/env bash
# Installs what a fresh Debian machine lacks. "demo": what the product runs on; "test": that and what the tests drive.
set -euo pipefail
what=${1:-demo}
packages=(postgresql ffmpeg ca-certificates)
if [ "$what" = test ]; then
  packages+=(chromium coturn default-jdk-headless maven iproute2 iptables)
fi

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
# A JDK or Maven that came by another way will do.
if [ "$what" = test ]; then
  command -v javac >/dev/null && missing=("${missing[@]/default-jdk-headless/}")
  command -v mvn >/dev/null && missing=("${missing[@]/maven/}")
fi
read -r -a missing <<<"${missing[*]:-}"
if [ "${#missing[@]}" -gt 0 ]; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing: ${missing[*]}"
  # The distribution's PostgreSQL package would start a cluster of its own, which nothing here needs.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $sudo mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
