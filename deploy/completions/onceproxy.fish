# Completion of onceproxy's command line for fish. Install it as
# /usr/share/fish/vendor_completions.d/onceproxy.fish.

set -l commands run check explain backtest schema records
set -l actions list show release resolve forget
set -l no_command "not __fish_seen_subcommand_from $commands"
set -l serving "$no_command; or __fish_seen_subcommand_from run"
set -l in_records '__fish_seen_subcommand_from records'
set -l in_action "$in_records; and __fish_seen_subcommand_from $actions"
set -l in_list "$in_records; and __fish_seen_subcommand_from list"
set -l in_change "$in_records; and __fish_seen_subcommand_from release resolve forget"

complete -c onceproxy -f
complete -c onceproxy -s h -l help -d 'Print help and exit'

complete -c onceproxy -n $no_command -l version -d 'Print the version and exit'
complete -c onceproxy -n $no_command -a run -d 'Serve; the default with -c and no command'
complete -c onceproxy -n $no_command -a check -d 'Validate a configuration'
complete -c onceproxy -n $no_command -a explain -d 'Tell which operation a request stands for'
complete -c onceproxy -n $no_command -a backtest -d 'Tell what each policy would have done with a log'
complete -c onceproxy -n $no_command -a schema -d 'Print the JSON Schema of the configuration'
complete -c onceproxy -n $no_command -a records -d 'Look at the records of a running onceproxy'

complete -c onceproxy -n "$serving; or __fish_seen_subcommand_from explain backtest" -s c -l config -r -k -a '(__fish_complete_suffix .yaml)' -d 'Configuration file'
complete -c onceproxy -n $serving -l drain-time -x -a 30s -d 'How long requests may take to end after SIGTERM'
complete -c onceproxy -n $serving -l accept-wal-loss -d 'Open a store whose write-ahead log is corrupt'
complete -c onceproxy -n $serving -l accept-clock -d 'The wall clock is right'

complete -c onceproxy -n "__fish_seen_subcommand_from schema" -l format -x -a 'json markdown' -d 'Form of what is printed'
complete -c onceproxy -n "__fish_seen_subcommand_from check backtest; or begin; $in_action; end" -l format -x -a 'text json' -d 'Form of what is printed'
complete -c onceproxy -n '__fish_seen_subcommand_from check' -k -a '(__fish_complete_suffix .yaml)'
complete -c onceproxy -n '__fish_seen_subcommand_from explain' -l answer -rF -d 'The answer of the service'
complete -c onceproxy -n '__fish_seen_subcommand_from explain' -l certificate -rF -d 'A file with the certificate that the client shows'
complete -c onceproxy -n '__fish_seen_subcommand_from explain backtest' -F
complete -c onceproxy -n '__fish_seen_subcommand_from backtest' -l max-operations -x -a 2000000 -d 'How much to remember at once'

complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a list -d 'List records'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a show -d 'Show one record'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a release -d 'Free a reserved or unknown record'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a resolve -d 'Mark an unknown record completed'
complete -c onceproxy -n "$in_records; and not __fish_seen_subcommand_from $actions" -a forget -d 'Remove a record'
complete -c onceproxy -n $in_action -l admin -x -a 127.0.0.1:9901 -d 'The admin port'
complete -c onceproxy -n $in_action -l token-file -rF -d 'A file with the bearer token of the admin port'
complete -c onceproxy -n $in_action -l ca -rF -a system -d 'Speak TLS, and trust the issuers in this file'
complete -c onceproxy -n $in_action -l server-name -x -d 'What the certificate of the admin port is for'
complete -c onceproxy -n $in_action -l certificate -rF -d 'A file with the certificate to show'
complete -c onceproxy -n $in_action -l key -rF -d 'A file with the private key of that certificate'
complete -c onceproxy -n $in_list -l policy -x -d 'Only records of this policy'
complete -c onceproxy -n $in_list -l state -x -a 'reserved completed unknown' -d 'Only those in this state'
complete -c onceproxy -n $in_list -l limit -x -a 50 -d 'At most so many; 0 is all'
complete -c onceproxy -n $in_change -l dry-run -d 'Change nothing'
