#!/bin/sh
# Items in, events in, a page out, over HTTP: sh examples/curl.sh [http://localhost:8700]
# Needs a site that is up (`palate up`); set PALATE_KEY where it has API keys.
set -eu
url=${1:-http://localhost:8700}
key=${PALATE_KEY:-none}

call() { curl -sS --fail-with-body -H "X-API-Key: $key" -H 'content-type: application/json' "$@"; echo; }

call -X POST "$url/v1/items" -d '{"items": [
  {"item_id": "alien",   "title": "Alien",   "categories": ["Horror", "Sci-Fi"]},
  {"item_id": "aliens",  "title": "Aliens",  "categories": ["Action", "Sci-Fi"]},
  {"item_id": "arrival", "title": "Arrival", "categories": ["Drama", "Sci-Fi"]}]}'

call -X POST "$url/v1/events" -d '{"events": [
  {"event_id": "curl-1", "kind": "like", "session_id": "s1", "item_id": "alien"}]}'

sleep 1 # an event is in the visitor's next page within a second

call "$url/v1/recommendations/home?session_id=s1&limit=2"
call "$url/v1/recommendations/more_like_this?item_id=alien&session_id=s1&limit=2"
call "$url/v1/pages/home?session_id=s1&limit=5"
