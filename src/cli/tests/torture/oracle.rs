//! Says what must never happen and did. Reads the chronicle and the text of journals, and shares no code with
//! the engine: its books are its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::chronicle::{Happening, Line, Name, hex};

/// A request that takes longer was held back somewhere.
pub(super) const IN_TIME_MS: u64 = 1_000;

/// Everything that is left of an incident.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    pub(super) lines: Vec<Line>,
    /// Run → the journal that counts in the end.
    pub(super) journals: BTreeMap<String, Vec<u8>>,
    /// Mirror, run, what it holds.
    pub(super) copies: Vec<(String, String, Vec<u8>)>,
    /// Whether the group is claimed in mirrors.
    pub(super) mirrored: bool,
    /// Whether the sites refuse older epochs.
    pub(super) fenced: bool,
    /// Runs that nobody could bring to an end.
    pub(super) stuck: Vec<String>,
}

/// One journal as text and as values.
struct Journal<'a> {
    run: &'a str,
    texts: Vec<String>,
    lines: Vec<Value>,
}

/// What is wrong, each with the invariant that it breaks.
pub(super) fn wrong(case: &Case) -> Vec<String> {
    let mut found = case.stuck.clone();
    let mut journals = BTreeMap::new();
    for (run, bytes) in &case.journals {
        match Journal::of(run, bytes) {
            Ok(journal) => {
                journals.insert(run.as_str(), journal);
            }
            Err(why) => found.push(format!("I8: {run}: {why}")),
        }
    }
    for journal in journals.values() {
        journal.chain(&mut found);
        journal.order(&mut found);
        journal.once(&case.lines, &mut found);
        journal.truth(&case.lines, &mut found);
    }
    told(case, &journals, &mut found);
    begun(case, &journals, &mut found);
    one_at_a_time(case, &journals, &mut found);
    sites(case, &mut found);
    epochs(case, &mut found);
    stale(case, &mut found);
    processes(case, &journals, &mut found);
    for (mirror, run, copy) in &case.copies {
        let whole = case
            .journals
            .get(run)
            .is_none_or(|journal| journal.starts_with(copy));
        // One that fell behind and holds a record that lost is looked after by a person.
        if !whole && !forked(case, run) {
            found.push(format!("I8: {run}: mirror {mirror} holds another story"));
        }
    }
    found
}

/// Of three mirrors one may hold a record that came second; the two others decide.
fn forked(case: &Case, run: &str) -> bool {
    let copies: Vec<&Vec<u8>> = case
        .copies
        .iter()
        .filter(|copy| copy.1 == run)
        .map(|copy| &copy.2)
        .collect();
    let good = copies
        .iter()
        .filter(|copy| case.journals[run].starts_with(copy))
        .count();
    good * 2 > copies.len()
}

impl<'a> Journal<'a> {
    fn of(run: &'a str, bytes: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?;
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        let texts: Vec<String> = text[..end].lines().map(str::to_owned).collect();
        let lines: Result<Vec<Value>, _> = texts.iter().map(|line| serde_json::from_str(line)).collect();
        Ok(Self {
            run,
            texts,
            lines: lines.map_err(|error| error.to_string())?,
        })
    }

    fn events(&self, name: &str) -> impl Iterator<Item = (usize, &Value)> {
        self.lines
            .iter()
            .enumerate()
            .filter_map(move |(at, line)| Some((at, line["event"].get(name)?)))
    }

    fn steps(&self) -> &[Value] {
        self.lines[0]["event"]["began"]["plan"]["steps"]
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    fn step_of(&self, name: &str) -> Option<usize> {
        self.steps().iter().position(|step| step["name"] == name)
    }

    /// I8: whole, chained, numbered, and time does not fall.
    fn chain(&self, found: &mut Vec<String>) {
        let (mut prev, mut elapsed) = (String::new(), 0);
        for (at, (text, line)) in self.texts.iter().zip(&self.lines).enumerate() {
            if line["seq"] != at || line["prev"] != prev {
                found.push(format!("I8: {}: record {at} does not follow", self.run));
            }
            let now = line["elapsedMs"].as_u64().unwrap_or(0);
            if now < elapsed {
                found.push(format!("I8: {}: time falls at record {at}", self.run));
            }
            elapsed = now;
            prev = hex(&Sha256::digest(text.as_bytes()));
        }
        let began = self.events("began").map(|(at, _)| at).collect::<Vec<_>>();
        if began != [0] {
            found.push(format!("I8: {}: begins at {began:?}", self.run));
        }
        match self.events("finished").next() {
            Some((at, _)) if at + 1 != self.lines.len() => {
                found.push(format!("I8: {}: something follows its end", self.run));
            }
            None => found.push(format!("L1: {}: it has no end", self.run)),
            Some(_) => {}
        }
    }

    /// I5, I6: nothing before what it needs, nothing after an unknown outcome without a word.
    fn order(&self, found: &mut Vec<String>) {
        let (mut released, mut unknown, mut open) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (at, line) in self.lines.iter().enumerate() {
            let event = &line["event"];
            if let Some(intended) = event.get("intended") {
                let step = intended["step"].as_u64().unwrap_or(0);
                let planned = &self.steps()[usize::try_from(step).unwrap_or(0)];
                let needs = planned["needs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_u64);
                let forward = intended["phase"] == "forward" && planned["last"] != true;
                for need in needs.filter(|need| forward && !released.contains(need)) {
                    found.push(format!(
                        "I5: {}: record {at} before step {need} was done",
                        self.run
                    ));
                }
                if unknown.contains(&step) && intended["phase"] == "forward" {
                    found.push(format!(
                        "I6: {}: record {at} goes on after an unknown outcome",
                        self.run
                    ));
                }
                open.insert(step);
            }
            for name in ["performed", "failed", "unknown"] {
                let Some(outcome) = event.get(name) else { continue };
                let step = outcome["step"].as_u64().unwrap_or(0);
                if !open.remove(&step) {
                    found.push(format!(
                        "I2: {}: record {at} is an outcome without an intent",
                        self.run
                    ));
                }
                if name == "unknown" {
                    unknown.insert(step);
                }
            }
            if let Some(ordered) = event.get("retry-ordered") {
                unknown.remove(&ordered["step"].as_u64().unwrap_or(0));
            }
            if let Some(ended) = event.get("ended") {
                let step = ended["step"].as_u64().unwrap_or(0);
                let outcome = &ended["outcome"];
                let by_person = outcome.get("marked-done").is_some() || outcome.get("skipped").is_some();
                if unknown.contains(&step) && !by_person {
                    found.push(format!("I6: {}: record {at} ends an unknown outcome", self.run));
                }
                unknown.remove(&step);
                let skipped = outcome.pointer("/skipped/releases") == Some(&Value::Bool(true));
                let good = *outcome == "succeeded" || *outcome == "continued";
                if good || skipped || outcome.get("marked-done").is_some() {
                    released.insert(step);
                }
            }
        }
    }

    /// Step, direction and effect of those that may be done once.
    fn once_effects(&self) -> BTreeSet<(usize, usize)> {
        let once = |effect: &Value| effect.pointer("/run-command/repeatable") == Some(&Value::Bool(false));
        let steps = self.steps().iter().enumerate();
        steps
            .flat_map(|(at, step)| {
                let effects = step["effects"].as_array().into_iter().flatten().enumerate();
                effects
                    .filter(|(_, effect)| once(effect))
                    .map(move |(effect, _)| (at, effect))
            })
            .collect()
    }

    /// I3: as often as people said, and no more; on the wire no more often than intended.
    fn once(&self, lines: &[Line], found: &mut Vec<String>) {
        for (step, effect) in self.once_effects() {
            let same = |event: &Value| {
                event["step"] == step && event["effect"] == effect && event["phase"] == "forward"
            };
            let intents = self.events("intended").filter(|(_, event)| same(event)).count();
            let ordered = self
                .events("retry-ordered")
                .filter(|(_, event)| event["step"] == step)
                .count();
            let title = self.steps()[step]["name"].as_str().unwrap_or("");
            if intents > 1 + ordered {
                found.push(format!(
                    "I3: {}: {title} was intended {intents} times, ordered {ordered}",
                    self.run
                ));
            }
            let mine =
                |name: &Name| name.run == self.run && name.step == title && name.effect as usize == effect;
            let begun = lines
                .iter()
                .filter(|line| matches!(&line.what, Happening::Begun { name, .. } if mine(name)))
                .count();
            let wire = lines
                .iter()
                .filter(|line| matches!(&line.what, Happening::Arrived { name, request, committed: true, .. } if mine(name) && request.contains(" exec ")))
                .count();
            if begun > intents || wire > intents {
                found.push(format!(
                    "I3: {}: {title} was begun {begun} times, arrived {wire}, intended {intents}",
                    self.run
                ));
            }
        }
    }

    /// I6: what is recorded as done was done, what is recorded as failed was not.
    fn truth(&self, lines: &[Line], found: &mut Vec<String>) {
        let arrived = |step: &str, effect: u64, attempt: Option<u64>| {
            lines.iter().any(|line| {
                matches!(&line.what, Happening::Arrived { name, committed: true, .. }
                    if name.run == self.run && name.step == step && u64::from(name.effect) == effect
                        && attempt.is_none_or(|attempt| u64::from(name.attempt) == attempt))
            })
        };
        for (step, effect) in self.once_effects() {
            let title = self.steps()[step]["name"].as_str().unwrap_or("");
            for name in ["performed", "failed"] {
                let own = self
                    .events(name)
                    .filter(|(_, event)| event["step"] == step && event["effect"] == effect);
                for (at, event) in own {
                    let done = arrived(title, effect as u64, event["attempt"].as_u64());
                    if name == "performed" && !done {
                        found.push(format!(
                            "I6: {}: record {at} says that {title} was done, and it was not",
                            self.run
                        ));
                    }
                    if name == "failed" && (done || event["error"]["kind"] == "lost-reply") {
                        found.push(format!(
                            "I6: {}: record {at} says that {title} failed, and nobody knows",
                            self.run
                        ));
                    }
                }
            }
        }
        for (at, event) in self.events("performed") {
            let planned = &self.steps()[usize::try_from(event["step"].as_u64().unwrap_or(0)).unwrap_or(0)];
            let effect = event["effect"].as_u64().unwrap_or(0);
            let what = &planned["effects"][usize::try_from(effect).unwrap_or(0)];
            let makes = what.get("run-job").is_some() || what.get("apply").is_some();
            let title = planned["name"].as_str().unwrap_or("");
            if event["phase"] == "forward" && makes && !arrived(title, effect, None) {
                found.push(format!(
                    "I6: {}: record {at} says that {title} was done, and it was not",
                    self.run
                ));
            }
        }
    }

    fn holds(&self, seq: u64, text: &str) -> bool {
        usize::try_from(seq)
            .ok()
            .and_then(|seq| self.texts.get(seq))
            .is_some_and(|own| own == text)
    }

    fn intends(&self, name: &Name) -> bool {
        let Some(step) = self.step_of(&name.step) else {
            return false;
        };
        self.events("intended").any(|(_, event)| {
            event["step"] == step && event["effect"] == name.effect && event["attempt"] == name.attempt
        })
    }
}

/// I1: what a process was told before it began something, or said how it ended, is in the journal that counts.
fn told(case: &Case, journals: &BTreeMap<&str, Journal<'_>>, found: &mut Vec<String>) {
    let mut heard: BTreeMap<(&str, &str), Vec<(u64, &str)>> = BTreeMap::new();
    for line in &case.lines {
        let run = match &line.what {
            Happening::Told { run, seq, line: text } => {
                heard.entry((&line.who, run)).or_default().push((*seq, text));
                continue;
            }
            Happening::Begun { name, .. } => &name.run,
            Happening::Ended { run, .. } => run,
            _ => continue,
        };
        for (seq, text) in heard
            .remove(&(line.who.as_str(), run.as_str()))
            .unwrap_or_default()
        {
            if !journals
                .get(run.as_str())
                .is_some_and(|journal| journal.holds(seq, text))
            {
                found.push(format!(
                    "I1: {run}: record {seq} was told to {} and is lost",
                    line.who
                ));
            }
        }
    }
}

/// I2: an intent of the same attempt, in the journal that counts and, when it began, where it had to be.
fn begun(case: &Case, journals: &BTreeMap<&str, Journal<'_>>, found: &mut Vec<String>) {
    for line in &case.lines {
        let Happening::Begun {
            name, held, needed, ..
        } = &line.what
        else {
            continue;
        };
        if held < needed {
            found.push(format!(
                "I2: {name:?} began with {held} of {needed} intents durable"
            ));
        }
        if !journals
            .get(name.run.as_str())
            .is_some_and(|journal| journal.intends(name))
        {
            found.push(format!("I2: {name:?} began without an intent"));
        }
    }
}

/// I9: epochs rise and are nobody else's; of a group one run at a time does anything.
fn one_at_a_time(case: &Case, journals: &BTreeMap<&str, Journal<'_>>, found: &mut Vec<String>) {
    if !case.mirrored {
        return;
    }
    let mut holders: BTreeMap<u64, &str> = BTreeMap::new();
    for journal in journals.values() {
        let mut newest = 0;
        for (at, event) in journal.events("claimed") {
            let epoch = event["epoch"].as_u64().unwrap_or(0);
            if epoch <= newest {
                found.push(format!(
                    "I9: {}: epoch {epoch} at record {at} after {newest}",
                    journal.run
                ));
            }
            newest = epoch;
            if let Some(other) = holders.insert(epoch, journal.run) {
                found.push(format!(
                    "I9: epoch {epoch} is held by {other} and {}",
                    journal.run
                ));
            }
        }
    }
    let mut times: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, line) in case.lines.iter().enumerate() {
        if let Happening::Begun { name, .. } = &line.what {
            times.entry(&name.run).or_insert((at, at)).1 = at;
        }
    }
    let mut all: Vec<_> = times
        .into_iter()
        .map(|(run, (from, to))| (from, to, run))
        .collect();
    all.sort_unstable();
    for pair in all.windows(2) {
        if pair[1].0 < pair[0].1 {
            found.push(format!(
                "I9: {} and {} went on at the same time",
                pair[0].2, pair[1].2
            ));
        }
    }
}

/// I4, I11: what the sites themselves saw. Where nothing is mirrored nobody keeps two runs apart; and a change
/// that arrives long after it was sent is refused by nobody (I12), so that its side may serve: both are said in `tests/README.md`.
fn sites(case: &Case, found: &mut Vec<String>) {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    let mut late: BTreeMap<&str, bool> = BTreeMap::new();
    for line in &case.lines {
        let Happening::Arrived {
            name,
            request,
            sent_ms,
            committed: true,
            both_serve,
        } = &line.what
        else {
            continue;
        };
        if let Some((site, _)) = request.split_once(" patch ") {
            late.insert(site, line.at_ms.saturating_sub(*sent_ms) > IN_TIME_MS);
            if *both_serve && case.mirrored && !late.values().any(|late| *late) {
                found.push(format!("I11: both sides serve after {name:?}: {request}"));
            }
        }
        if request.contains(" create ") || request.contains(" delete ") {
            *made.entry(request).or_default() += 1;
        }
    }
    for (request, times) in made.into_iter().filter(|(_, times)| *times > 1) {
        found.push(format!("I4: {request} changed a site {times} times"));
    }
}

/// I10, I12, where sites are fenced: who begins anything has told both sites of its epoch, and from then on nothing of an
/// older one changes them, however late it arrives.
fn epochs(case: &Case, found: &mut Vec<String>) {
    if !case.fenced {
        return;
    }
    let mut claimed: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut raised, mut newest): (BTreeMap<&str, u64>, u64) = (BTreeMap::new(), 0);
    for line in &case.lines {
        let own = claimed.get(line.who.as_str()).copied();
        match &line.what {
            Happening::Told { line: text, .. } if text.contains("\"claimed\"") => {
                let told: Value = serde_json::from_str(text).unwrap_or_default();
                if let Some(epoch) = told["event"]["claimed"]["epoch"].as_u64() {
                    claimed.insert(&line.who, epoch);
                }
            }
            Happening::Raised { site, epoch } => {
                let known = raised.entry(site).or_default();
                *known = (*known).max(*epoch);
            }
            Happening::Begun { name, .. } => {
                let Some(epoch) = own else { continue };
                if raised.len() < 2 || raised.values().any(|known| *known < epoch) {
                    found.push(format!(
                        "I10: {name:?} began under epoch {epoch}, and the sites know {raised:?}"
                    ));
                }
                newest = newest.max(epoch);
            }
            Happening::Arrived {
                name,
                request,
                committed: true,
                ..
            } if own.is_some_and(|epoch| epoch < newest) => {
                found.push(format!(
                    "I12: {name:?} changed a site by {request}, and epoch {newest} was there"
                ));
            }
            _ => {}
        }
    }
}

/// A run begins only in the world that it was planned for; unless what changed that was on its way for too long, and
/// arrived after everybody had looked.
fn stale(case: &Case, found: &mut Vec<String>) {
    if !case.mirrored {
        return;
    }
    let mut planned: BTreeMap<&str, &str> = BTreeMap::new();
    for line in &case.lines {
        match &line.what {
            Happening::Planned { run, stands } => {
                planned.insert(run, stands);
            }
            Happening::Arrived {
                sent_ms,
                committed: true,
                request,
                ..
            } if line.at_ms.saturating_sub(*sent_ms) > IN_TIME_MS && request.contains(" patch ") => {
                planned.clear();
            }
            Happening::Begun { name, stands, .. } => {
                if let Some(then) = planned.remove(name.run.as_str())
                    && then != stands
                {
                    found.push(format!(
                        "F48: {} was planned for {then}, and began in {stands}",
                        name.run
                    ));
                }
            }
            _ => {}
        }
    }
}

/// F01, F13: a dead process sends nothing, and none is told that it lost its run to nobody. Somebody is who was told anything of
/// the run, or took it up by the journal that counts, and did not leave it to the other one; and a run that was found at its
/// end before needs nobody.
fn processes(case: &Case, journals: &BTreeMap<&str, Journal<'_>>, found: &mut Vec<String>) {
    let mut gone: BTreeMap<&str, u64> = BTreeMap::new();
    let mut carried: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (run, journal) in journals {
        let of = |(_, resumed): (usize, &Value)| {
            let operator = &resumed["operator"];
            Some(format!("{}/{}", operator["host"].as_str()?, operator["pid"]))
        };
        carried.insert(run, journal.events("resumed").filter_map(of).collect());
    }
    for line in &case.lines {
        if let Happening::Yielded { run } = &line.what {
            carried.entry(run).or_default().remove(&line.who);
        }
    }
    for line in &case.lines {
        match &line.what {
            Happening::Gone => {
                gone.insert(&line.who, line.at_ms);
            }
            Happening::Told { run, .. } | Happening::Superseded { run } => {
                carried.entry(run).or_default().insert(line.who.clone());
            }
            _ => {}
        }
    }
    let mut over: BTreeSet<&str> = BTreeSet::new();
    for line in &case.lines {
        match &line.what {
            Happening::Over { run } => {
                over.insert(run);
            }
            Happening::Arrived { name, sent_ms, .. }
                if gone.get(line.who.as_str()).is_some_and(|at_ms| sent_ms > at_ms) =>
            {
                found.push(format!("F01: {} sent for {name:?} after its end", line.who));
            }
            Happening::Superseded { run }
                if carried[run.as_str()].len() < 2 && !over.contains(run.as_str()) =>
            {
                found.push(format!("F13: {} lost {run} to nobody", line.who));
            }
            _ => {}
        }
    }
}
