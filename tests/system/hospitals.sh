#!/usr/bin/env bash
# The ten commands of the README's page for data-protection officers do what it says when they are pasted.
. "$(dirname "$0")/../support/lib.sh"
need_data
cut_data small.h5 600 200
mkdir -p data && mv small.h5 data/fashion-mnist.h5
ln -s "$dtrain" dtrain
ln -s "$source/launch" launch
awk '/^\*\*Two hospitals on one machine, in ten commands/ {here = 1} /^```$/ && here {on++; next} on == 1' "$source/README.md" |
    grep -v '^data/fetch.sh' |
    sed "s|^launch/local.sh|DTRAIN=$dtrain launch/local.sh|; s|--run|--set sites.wait=60s --run|" >ten.sh
commands=$(grep -cE '^(\./dtrain|cat|mkdir|DTRAIN=|wait)' ten.sh)
if ((commands == 9)); then pass "nine commands besides the one that gets data"; else give_up "$commands commands: $(cat ten.sh)"; fi
bash ten.sh >out 2>err
show out >shown
expect_in err 'round 0 waits for the parts of south \(mailbox/round-00000000\); run the same command again later' "one alone says who is missing"
expect_in out '^stopped run=runs/north step=0 rounds=0 sites=2 bytes=[0-9]+ ended=[a-z_]+ ' "and stops, with no figure of what was not trained"
digest=$(sed -n 's/^done run=runs\/south .* digest=//p' out)
if [[ -n $digest ]] && grep -q "^done run=runs/north .* digest=$digest$" north.log; then
    pass "both have the digest $digest"
else
    fail "no common digest: $(tail -n 2 out err north.log)"
fi
expect_in runs/north/report.html '<tr><th scope=row>south</th><td class=n>10</td><td class=n>0</td><td class=n>[0-9]+</td><td class=n>–</td>' "the report has who was in, what that counts for, and no figures of the other"
if [[ $(find mailbox -name '*.part' | wc -l) == 20 && -z $(find mailbox -type f ! -name '*.part' ! -name '*.vote') ]]; then
    pass "two parts a round, votes, and nothing else are in the mailbox"
else
    fail "in the mailbox are $(find mailbox -type f)"
fi
if grep -qrF 'hospitals' mailbox; then fail "the name of a file left its site"; else pass "no name of a file left its site"; fi
finish
