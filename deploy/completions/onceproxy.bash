# Completion of onceproxy's command line for bash. Install it as
# /usr/share/bash-completion/completions/onceproxy, or source it. It needs nothing else.

# Adds the words of $1 that begin with what is typed.
_onceproxy_words() {
  local word
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(compgen -W "$1" -- "$cur")
}

# Adds files whose names end in one of the suffixes, or all files without any; and directories.
_onceproxy_files() {
  local name suffix
  compopt -o filenames 2>/dev/null
  if [ $# -eq 0 ]; then
    while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -f -- "$cur")
    return
  fi
  for suffix in "$@"; do
    while IFS= read -r name; do
      [ -d "$name" ] || COMPREPLY+=("$name")
    done < <(compgen -f -X "!*$suffix" -- "$cur")
  done
  while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -d -- "$cur")
}

# The value of option $1. False where it takes none.
_onceproxy_value() {
  case $1 in
    -c | --config | --to) _onceproxy_files .yaml .yml ;;
    --mode) _onceproxy_words "serve validate" ;;
    -l | --log-level) _onceproxy_words "trace debug info warning error critical" ;;
    --format)
      if [ "${COMP_WORDS[1]}" = schema ]; then
        _onceproxy_words "json markdown"
      else
        _onceproxy_words "text json"
      fi
      ;;
    --log-format) _onceproxy_words "text json" ;;
    --pull-policy) _onceproxy_words "Always IfNotPresent Never" ;;
    --state) _onceproxy_words "reserved completed unknown" ;;
    --outcome) _onceproxy_words "pending completed released failed unknown" ;;
    --token-file | --ca | --certificate | --key | --file | --request | --client-certificate | --body)
      _onceproxy_files
      ;;
    --envoy | --drain-time | --drain-time-s | --concurrency | --base-id | --max-operations | --admin | --server-name | --policy | --limit | --entity | \
      --path | --older-than | --since | --until | --decision | --fingerprint | --status | --header | \
      --telemetry | --timeout | --grace | --listen | --image | --port | --config-key | \
      --cpu-request | --memory-request | --memory-limit | --cpu-limit | --sidecar-grace | \
      --sidecar-timeout | --sidecar-drain-time | --exclude) ;;
    *) return 1 ;;
  esac
}

_onceproxy() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local command="" options i
  local reach="--help --admin --token-file --ca --server-name --certificate --key"
  local port="$reach --format"
  local events="--event --listener --policy --since --until"
  local serving="--help --config --mode --drain-time --drain-time-s --log-level --log-format \
    --concurrency --base-id --accept-wal-loss --accept-clock"
  COMPREPLY=()
  # --option=value is three words to bash.
  if [ "$cur" = "=" ]; then
    cur=""
  elif [ "$prev" = "=" ]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  _onceproxy_value "$prev" && return

  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -c | --config | --to | --format | --state | --token-file | --drain-time | --max-operations | \
        --admin | --policy | --limit | --ca | --server-name | --certificate | --key | --entity | \
        --path | --older-than | --since | --until | --decision | --outcome | --fingerprint | \
        --status | --header | --body | --request | --client-certificate | --answer | --telemetry | \
        --timeout | --grace | --listen | --image | --port | --config-key | --cpu-request | \
        --memory-request | --memory-limit | --cpu-limit | --sidecar-grace | \
        --sidecar-timeout | --sidecar-drain-time | --exclude | \
        --log-format | --pull-policy | --file | --event | --listener | --rate | --mode | -l | \
        --log-level | --drain-time-s | --concurrency | --base-id | --envoy)
        [ "${COMP_WORDS[i + 1]}" = "=" ] && ((i++))
        ((i++))
        ;;
      -*) ;;
      run | check | explain | backtest | doctor | schema | health | drain | backup | restore | \
        records | entities | deliveries | dead-letters | audit | inject | store)
        if [ -z "$command" ]; then
          command=${COMP_WORDS[i]}
        elif [ "$command ${COMP_WORDS[i]}" = "inject audit" ]; then
          command="inject audit"
        fi
        ;;
      list | show | release | resolve | forget | open | redrive | drop)
        case $command in
          records | entities | deliveries | dead-letters) command="$command ${COMP_WORDS[i]}" ;;
        esac
        ;;
      migrate | move)
        case $command in store) command="$command ${COMP_WORDS[i]}" ;; esac
        ;;
    esac
  done

  case $command in
    "") options="--version $serving" ;;
    run) options=$serving ;;
    check) options="--help --config --format" ;;
    doctor) options="--help --config --envoy --format" ;;
    explain) options="--help --config --answer --certificate --format" ;;
    backtest) options="--help --config --format --max-operations" ;;
    schema) options="--help --format" ;;
    health) options="$reach --config --telemetry --live --timeout" ;;
    drain) options="$reach --config --wait --grace --timeout" ;;
    backup) options="$reach --config --offline" ;;
    restore) options="--help --config --force" ;;
    records | entities | deliveries | dead-letters | store) options="--help" ;;
    audit)
      options="$port --since --until --policy --decision --outcome --fingerprint --entity --path --limit"
      ;;
    inject)
      options="--help --listen --certificate --key --image --pull-policy --port --config-key \
        --cpu-request --memory-request --memory-limit --cpu-limit --sidecar-grace --sidecar-timeout \
        --sidecar-drain-time --exclude \
        --drain-time --log-format"
      ;;
    "inject audit") options="--help --file --format" ;;
    "records list") options="$port --policy --state --entity --path --older-than --limit" ;;
    "records show") options="$port --request --config --client-certificate" ;;
    "records resolve") options="$port --status --body --header --dry-run" ;;
    "records "*) options="$port --dry-run" ;;
    "deliveries list") options="$port $events --state --undelivered --limit" ;;
    "deliveries show") options="$port --undelivered" ;;
    "dead-letters list") options="$port $events --state --limit" ;;
    "dead-letters "*) options="$port $events --state --all --rate" ;;
    "entities show") options="$port --limit" ;;
    "entities open") options="$port" ;;
    "store migrate") options="--help --config --dry-run" ;;
    "store move") options="--help --config --to --dry-run --forget-earlier" ;;
  esac
  case $cur in
    -*)
      _onceproxy_words "$options"
      return
      ;;
  esac
  case $command in
    "") _onceproxy_words "run check explain backtest doctor schema health drain backup restore records entities deliveries dead-letters audit inject store" ;;
    records) _onceproxy_words "list show release resolve forget" ;;
    entities) _onceproxy_words "show open" ;;
    deliveries) _onceproxy_words "list show" ;;
    dead-letters) _onceproxy_words "list redrive drop" ;;
    inject) _onceproxy_words "audit" ;;
    store) _onceproxy_words "migrate move" ;;
    check | doctor) _onceproxy_files .yaml .yml ;;
    explain | backtest | backup | restore) _onceproxy_files ;;
  esac
}

complete -F _onceproxy onceproxy
