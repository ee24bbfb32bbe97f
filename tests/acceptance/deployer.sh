#!/bin/sh
# A deployer that has nothing but a shell, curl and docs/api.md. It deploys one container on a real Engine, follows it
# until it is dead, and prints what it is told.
#   INDEX, TOKEN: where the index is, and a token that may deploy; ENGINE: the Engine's socket
set -eu

ask() {
    curl -sS --fail-with-body -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" "$@"
}

engine() {
    curl -sS --fail-with-body --unix-socket "$ENGINE" -H "Content-Type: application/json" "$@"
}

# the text with this name in the JSON that is read
member() {
    sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

ask -X PUT "$INDEX/api/v1/containers/shop:web" --data '{"workload": "shop", "role": "web"}' > placed
cursor=$(member cursor < placed)
echo "placed"
ask -X PUT "$INDEX/api/v1/deployments/containers/shop:web" --data '{"seconds": 300}' > lease

# follow from the placeholder on, before anything happens
mkfifo told
curl -sSN -H "Authorization: Bearer $TOKEN" -H "Accept: text/event-stream" \
    "$INDEX/api/v1/changes?after=$cursor" > told &
follower=$!
trap 'kill "$follower"' EXIT
exec 3< told

engine -X POST http://engine/containers/create --data '{
    "Image": "tinyforge-busybox", "Cmd": ["sleep", "3600"], "NetworkDisabled": true,
    "Labels": {"tinyforge.workload.id": "shop", "tinyforge.role": "web"}
}' > made
container=$(member Id < made)
echo "made $container"
ask -X POST "$INDEX/api/v1/containers/shop:web/bind" \
    --data "{\"container_id\": \"$container\", \"expected_container_id\": \"\"}" > bound
echo "bound"
engine -X POST "http://engine/containers/$container/start"

seen=
while IFS= read -r line <&3; do
    case $seen:$line in
        :data:*'"kind":"container"'*'"to_state":"running"'*)
            seen=running
            ask -X DELETE "$INDEX/api/v1/deployments/containers/shop:web" > lease ;;
        running:data:*'"kind":"deployment"'*'"to_state":"deployed"'*)
            seen=deployed
            engine -X POST "http://engine/containers/$container/kill" ;;
        deployed:data:*'"kind":"container"'*'"to_state":"stopped"'*)
            echo "dead"
            exit ;;
        *) continue ;;
    esac
    echo "$seen"
done
