#!/bin/sh
# member <note>: answers one HTTP request on stdin with what the running worker was started with. systemd starts one for
# each connection; the worker's runtime directory, and the note in it, goes when the worker stops.
set -u
end=$(printf '\r')
while IFS= read -r line; do
  case $line in '' | "$end") break ;; esac
done
if body=$(cat "$1" 2>/dev/null); then
  status='200 OK'
else
  status='503 Service Unavailable' body='{"error":"no worker is running"}'
fi
printf 'HTTP/1.0 %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s\n' \
  "$status" $((${#body} + 1)) "$body"
