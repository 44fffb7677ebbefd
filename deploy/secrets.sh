#!/bin/sh
# Makes the secrets that docker-compose.yml and the example overlay name, in a folder: `sh deploy/secrets.sh [folder [more names …]]`.
# What is there already stays as it is: a lost master key makes stored tokens unreadable.
set -eu
folder=${1:-secrets}
[ $# -eq 0 ] || shift
mkdir -p "$folder"
chmod 700 "$folder" # the files themselves are readable: containers read them as a user of their own

for name in onethread_key telegram_webhook_secret telegram_hook_secret; do
    if [ ! -s "$folder/$name" ]; then
        od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$folder/$name"
        echo "made    $folder/$name"
    fi
done
for name in support_mail_password telegram_token mastodon_token "$@"; do
    if [ ! -s "$folder/$name" ]; then
        : > "$folder/$name"
        echo "to fill $folder/$name"
    fi
done
chmod 644 "$folder"/*
