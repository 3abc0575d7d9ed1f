# The demo's application: something happens for somebody every few seconds. PG* say where the database is.
trap 'exit 0' TERM INT
events=(
  "'Build passed', message => 'main is green after 3 min 12 s', severity => 'success', category => 'ci'"
  "'New comment', message => 'Dana: could we ship this on Thursday?', category => 'review'"
  "'Disk almost full', message => 'db-2 has 8 % left', severity => 'warning', category => 'ops'"
  "'Payment failed', message => 'Invoice 1042: card declined', severity => 'error', category => 'billing'"
  "'Welcome', message => 'Three people joined your team', category => 'team'"
)
while :; do
  for event in "${events[@]}"; do
    for user in alice bob; do
      psql -qAt -o /dev/null -c "select herald.notify_user('$user', title => $event)" || echo "the database did not take it" >&2
      sleep 3 &
      wait $!
    done
  done
done
