# Completion of onceproxy's command line for fish. Install it as
# /usr/share/fish/vendor_completions.d/onceproxy.fish.

set -l commands run check explain backtest doctor schema health drain backup restore records entities deliveries dead-letters audit inject store
set -l actions list show release resolve forget
set -l entity_actions show open
set -l store_actions migrate move
set -l delivery_actions list show
set -l letter_actions list redrive drop
set -l no_command "not __fish_seen_subcommand_from $commands"
set -l serving "$no_command; or __fish_seen_subcommand_from run"
set -l in_records '__fish_seen_subcommand_from records'
set -l in_action "$in_records; and __fish_seen_subcommand_from $actions"
set -l in_list "$in_records; and __fish_seen_subcommand_from list"
set -l in_entities '__fish_seen_subcommand_from entities'
set -l in_deliveries '__fish_seen_subcommand_from deliveries'
set -l in_letters '__fish_seen_subcommand_from dead-letters'
set -l in_delivery_action "$in_deliveries; and __fish_seen_subcommand_from $delivery_actions"
set -l in_letter_action "$in_letters; and __fish_seen_subcommand_from $letter_actions"
set -l in_delivery_list "$in_deliveries; and __fish_seen_subcommand_from list"
set -l in_letter_list "$in_letters; and __fish_seen_subcommand_from list"
set -l in_letter_change "$in_letters; and __fish_seen_subcommand_from redrive drop"
set -l in_events "begin; $in_delivery_list; end; or $in_letter_action"
set -l in_inject '__fish_seen_subcommand_from inject'
set -l in_inject_audit "$in_inject; and __fish_seen_subcommand_from audit"
set -l in_injector "$in_inject; and not __fish_seen_subcommand_from audit"
set -l in_audit "__fish_seen_subcommand_from audit; and not $in_inject"
set -l in_health '__fish_seen_subcommand_from health'
set -l in_drain '__fish_seen_subcommand_from drain'
set -l in_backup '__fish_seen_subcommand_from backup'
set -l in_restore '__fish_seen_subcommand_from restore'
set -l in_store '__fish_seen_subcommand_from store'
set -l in_store_action "$in_store; and __fish_seen_subcommand_from $store_actions"
set -l in_show "$in_records; and __fish_seen_subcommand_from show"
set -l in_resolve "$in_records; and __fish_seen_subcommand_from resolve"
set -l in_entity_show "$in_entities; and __fish_seen_subcommand_from show"
set -l in_entity_action "$in_entities; and __fish_seen_subcommand_from $entity_actions"
set -l asking "begin; $in_action; end; or begin; $in_entity_action; end; or begin; $in_delivery_action; end; or begin; $in_letter_action; end; or $in_audit"
set -l reaching "$asking; or $in_health; or $in_drain; or $in_backup"
set -l in_change "$in_records; and __fish_seen_subcommand_from release resolve forget"

complete -c onceproxy -f
complete -c onceproxy -s h -l help -d 'Print help and exit'

complete -c onceproxy -n $no_command -l version -d 'Print the version and exit'
complete -c onceproxy -n $no_command -a run -d 'Serve; the default with -c and no command'
complete -c onceproxy -n $no_command -a check -d 'Validate a configuration'
complete -c onceproxy -n $no_command -a explain -d 'Tell which operation a request stands for'
complete -c onceproxy -n $no_command -a backtest -d 'Report what each policy would have done with a log'
complete -c onceproxy -n $no_command -a doctor -d 'Tell whether onceproxy can start here'
complete -c onceproxy -n $no_command -a schema -d 'Print the JSON Schema of the configuration'
complete -c onceproxy -n $no_command -a health -d 'Ask a running onceproxy whether it is ready'
complete -c onceproxy -n $no_command -a drain -d 'Take a running onceproxy out of service'
complete -c onceproxy -n $no_command -a backup -d 'Make a backup of the store'
complete -c onceproxy -n $no_command -a restore -d 'Restore a backup'
complete -c onceproxy -n $no_command -a inject -d 'Serve the webhook that adds onceproxy to pods'
complete -c onceproxy -n $no_command -a records -d 'Look at the records of a running onceproxy'
complete -c onceproxy -n $no_command -a entities -d 'Show or reopen an entity of a running onceproxy'
complete -c onceproxy -n $no_command -a deliveries -d 'Show the state of the events that are delivered'
complete -c onceproxy -n $no_command -a dead-letters -d 'Deliveries that failed for good'
complete -c onceproxy -n $no_command -a audit -d 'Show what a running onceproxy forwarded and refused'
complete -c onceproxy -n $no_command -a store -d 'Prepare a database, or copy records between stores'

complete -c onceproxy -n "$serving; or __fish_seen_subcommand_from check explain backtest doctor health drain backup restore; or begin; $in_show; end; or begin; $in_store_action; end" -s c -l config -r -k -a '(__fish_complete_suffix .yaml)' -d 'Configuration file'
complete -c onceproxy -n $serving -l drain-time -x -a 30s -d 'How long requests may take to end after SIGTERM'
complete -c onceproxy -n $serving -l drain-time-s -x -a 30 -d 'The same in whole seconds'
complete -c onceproxy -n $serving -l mode -x -a 'serve validate' -d 'Serve, or check the configuration'
complete -c onceproxy -n $serving -s l -l log-level -x -a 'trace debug info warning error critical' -d 'Instead of log.level'
complete -c onceproxy -n $serving -l log-format -x -a 'json text' -d 'Instead of log.format'
complete -c onceproxy -n $serving -l concurrency -x -d 'How many worker threads'
complete -c onceproxy -n $serving -l base-id -x -d 'Refused: there is no hot restart'
complete -c onceproxy -n $serving -l accept-wal-loss -d 'Open a store whose write-ahead log is corrupt'
complete -c onceproxy -n $serving -l accept-clock -d 'The wall clock is right'

complete -c onceproxy -n "__fish_seen_subcommand_from schema" -l format -x -a 'json markdown' -d 'Form of what is printed'
complete -c onceproxy -n "__fish_seen_subcommand_from check explain backtest doctor; or $asking" -l format -x -a 'text json' -d 'Form of what is printed'
complete -c onceproxy -n '__fish_seen_subcommand_from doctor' -l envoy -x -a 127.0.0.1:9904 -d 'Examine the Envoy with this admin port'
complete -c onceproxy -n '__fish_seen_subcommand_from check doctor' -k -a '(__fish_complete_suffix .yaml)'
complete -c onceproxy -n '__fish_seen_subcommand_from explain' -l answer -rF -d 'The answer of the service'
complete -c onceproxy -n '__fish_seen_subcommand_from explain' -l certificate -rF -d 'A file with the certificate that the client shows'
complete -c onceproxy -n '__fish_seen_subcommand_from explain backtest' -F
complete -c onceproxy -n '__fish_seen_subcommand_from backtest' -l max-operations -x -a 2000000 -d 'How much to remember at once'

complete -c onceproxy -n $in_health -l telemetry -x -a 127.0.0.1:9902 -d 'Ask the telemetry port instead'
complete -c onceproxy -n $in_health -l live -d 'Ask whether it is alive'
complete -c onceproxy -n "$in_health; or $in_drain" -l timeout -x -a 30s -d 'How long it may take'
complete -c onceproxy -n $in_backup -l offline -d 'Of a store that is not in use'
complete -c onceproxy -n $in_restore -l force -d 'Replace the store that is there'
complete -c onceproxy -n "$in_backup; or $in_restore" -a '(__fish_complete_directories)'
complete -c onceproxy -n $in_drain -l wait -d 'Return when nothing is under way any more'
complete -c onceproxy -n $in_drain -l grace -x -a 5s -d 'How long to accept connections after readiness fails'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a list -d 'List records'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a show -d 'Show one record'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a release -d 'Free a reserved or unknown record'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a resolve -d 'Mark an unknown record completed'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a forget -d 'Remove a record'
complete -c onceproxy -n $reaching -l admin -x -a 127.0.0.1:9901 -d 'The admin port'
complete -c onceproxy -n $reaching -l token-file -rF -d 'A file with the bearer token of the admin port'
complete -c onceproxy -n $reaching -l ca -rF -a system -d 'Speak TLS, and trust the issuers in this file'
complete -c onceproxy -n $reaching -l server-name -x -d 'What the certificate of the admin port is for'
complete -c onceproxy -n $reaching -l certificate -rF -d 'A file with the certificate to show'
complete -c onceproxy -n $reaching -l key -rF -d 'A file with the private key of that certificate'
complete -c onceproxy -n "begin; $in_list; end; or $in_audit" -l policy -x -d 'Only those of this policy'
complete -c onceproxy -n "begin; $in_list; end; or $in_audit" -l entity -x -d 'Only of this entity: type/id'
complete -c onceproxy -n "begin; $in_list; end; or $in_audit" -l path -x -d 'Only of this path; with * at the end, of paths that begin so'
complete -c onceproxy -n $in_list -l older-than -x -a 5m -d 'Only those that were made so long ago, or longer'
complete -c onceproxy -n $in_list -l state -x -a 'reserved completed unknown' -d 'Only those in this state'
complete -c onceproxy -n "begin; $in_list; end; or $in_audit" -l limit -x -a 50 -d 'The largest number of items; 0 is all'
complete -c onceproxy -n $in_show -l request -rF -d 'Of the operation that this request stands for'
complete -c onceproxy -n $in_show -l client-certificate -rF -d 'A file with the certificate that the client shows'
complete -c onceproxy -n $in_resolve -l status -x -a 200 -d 'Give duplicates an answer with this status'
complete -c onceproxy -n $in_resolve -l body -rF -d 'The body of the answer'
complete -c onceproxy -n $in_resolve -l header -x -d 'One of the fields of the answer'
complete -c onceproxy -n $in_change -l dry-run -d 'Change nothing'

complete -c onceproxy -n "$in_entities; and not __fish_seen_subcommand_from $entity_actions" -a show -d 'Show an entity and its history'
complete -c onceproxy -n "$in_entities; and not __fish_seen_subcommand_from $entity_actions" -a open -d 'Reopen a closed entity'
complete -c onceproxy -n "$in_deliveries; and not __fish_seen_subcommand_from $delivery_actions" -a list -d 'List deliveries'
complete -c onceproxy -n "$in_deliveries; and not __fish_seen_subcommand_from $delivery_actions" -a show -d 'Show an event and the state of each of its deliveries'
complete -c onceproxy -n "$in_letters; and not __fish_seen_subcommand_from $letter_actions" -a list -d 'List dead letters'
complete -c onceproxy -n "$in_letters; and not __fish_seen_subcommand_from $letter_actions" -a redrive -d 'Deliver them again'
complete -c onceproxy -n "$in_letters; and not __fish_seen_subcommand_from $letter_actions" -a drop -d 'Drop them'
complete -c onceproxy -n $in_events -l event -x -d 'Only deliveries of this event'
complete -c onceproxy -n $in_events -l listener -x -d 'Only deliveries to this listener'
complete -c onceproxy -n $in_events -l policy -x -d 'Only deliveries of events of this policy'
complete -c onceproxy -n $in_events -l since -x -a 1h -d 'Only events stored at this time or later'
complete -c onceproxy -n $in_events -l until -x -a 5m -d 'Only events stored before this time'
complete -c onceproxy -n $in_delivery_list -l state -x -a 'pending failed held notified dead cancelled removed' -d 'Only deliveries in these states'
complete -c onceproxy -n $in_letter_action -l state -x -a 'dead held' -d 'Dead or held'
complete -c onceproxy -n $in_delivery_action -l undelivered -d 'Only deliveries that have not succeeded'
complete -c onceproxy -n "begin; $in_delivery_list; end; or $in_letter_list" -l limit -x -a 50 -d 'The largest number of items; 0 is all'
complete -c onceproxy -n $in_letter_change -l all -d 'Every one'
complete -c onceproxy -n $in_letter_change -l rate -x -a 100 -d 'The largest number per second'
complete -c onceproxy -n $in_entity_show -l limit -x -a 20 -d 'At most so much of its history; 0 is all'
complete -c onceproxy -n $in_audit -l since -x -a 1h -d 'From then on'
complete -c onceproxy -n $in_audit -l until -x -a 5m -d 'Before then'
complete -c onceproxy -n $in_audit -l decision -x -a 'forwarded operator started' -d 'Only this decision'
complete -c onceproxy -n $in_audit -l outcome -x -a 'pending completed released failed unknown' -d 'Only forwards that ended so'
complete -c onceproxy -n $in_audit -l fingerprint -x -d 'Only of this operation'

complete -c onceproxy -n $in_injector -a audit -d 'List pods without the sidecar that they ask for'
complete -c onceproxy -n $in_injector -l listen -x -a 0.0.0.0:8443 -d 'Where the API server asks'
complete -c onceproxy -n $in_injector -l certificate -rF -d 'A file with the certificate to present'
complete -c onceproxy -n $in_injector -l key -rF -d 'A file with the private key of that certificate'
complete -c onceproxy -n $in_injector -l image -x -d 'The image of the sidecar'
complete -c onceproxy -n $in_injector -l pull-policy -x -a 'Always IfNotPresent Never' -d 'Its imagePullPolicy'
complete -c onceproxy -n $in_injector -l port -x -a 8080 -d 'The port that onceproxy listens on'
complete -c onceproxy -n $in_injector -l config-key -x -a onceproxy.yaml -d 'The key of the ConfigMap'
complete -c onceproxy -n $in_injector -l cpu-request -x -a 50m -d 'The CPU that the sidecar requests'
complete -c onceproxy -n $in_injector -l memory-request -x -a 64Mi -d 'The memory that the sidecar requests'
complete -c onceproxy -n $in_injector -l memory-limit -x -a 512Mi -d 'The limit of its memory'
complete -c onceproxy -n $in_injector -l sidecar-grace -x -a 5s -d 'How long a sidecar accepts connections while its pod ends'
complete -c onceproxy -n $in_injector -l sidecar-timeout -x -a 20s -d 'How long its requests may take after that'
complete -c onceproxy -n $in_injector -l sidecar-drain-time -x -a 5s -d 'How long they may take after SIGTERM'
complete -c onceproxy -n $in_injector -l cpu-limit -x -a 1 -d 'The limit of its CPU time'
complete -c onceproxy -n $in_injector -l exclude -x -a kube-system -d 'A namespace whose pods stay as they are'
complete -c onceproxy -n $in_injector -l drain-time -x -a 5s -d 'How long reviews are answered after SIGTERM'
complete -c onceproxy -n $in_injector -l log-format -x -a 'text json' -d 'Form of the log'
complete -c onceproxy -n $in_inject_audit -l file -rF -d 'What kubectl get pods -A -o json prints'
complete -c onceproxy -n $in_inject_audit -l format -x -a 'text json' -d 'Form of what is printed'

complete -c onceproxy -n "$in_store; and not __fish_seen_subcommand_from $store_actions" -a migrate -d 'Bring the schema of a database up to date'
complete -c onceproxy -n "$in_store; and not __fish_seen_subcommand_from $store_actions" -a move -d 'Copy live records from one store to the other'
complete -c onceproxy -n "$in_store; and __fish_seen_subcommand_from move" -l to -r -k -a '(__fish_complete_suffix .yaml)' -d 'A configuration with the other store'
complete -c onceproxy -n "$in_store; and __fish_seen_subcommand_from move" -l forget-earlier -d 'Copy also what PostgreSQL does not find under its present name'
complete -c onceproxy -n $in_store_action -l dry-run -d 'Change nothing'
