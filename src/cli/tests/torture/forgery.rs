//! Bad histories made by hand: each breaks one rule, and the oracle has to name that rule. A checker that finds
//! nothing may be one that looks at nothing.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::chronicle::{Happening, Line, hex};
use super::oracle::{Case, IN_TIME_MS, wrong};
use super::{incident, judged};

type Forge = fn(&mut Case, &str, &str);

/// What is done to a good history, and the rule that it breaks.
const FORGERIES: &[(&str, &str, Forge)] = &[
    ("a record is missing", "I8", |case, run, _| {
        raw(case, run, |lines| drop(lines.remove(4)));
    }),
    ("two records changed places", "I8", |case, run, _| {
        raw(case, run, |lines| lines.swap(4, 5));
    }),
    ("a record was changed", "I8", |case, run, _| {
        raw(case, run, |lines| {
            lines[4] = lines[4].replacen("\"seq\"", " \"seq\"", 1);
        });
    }),
    ("time falls", "I8", |case, run, _| {
        edit(case, run, |lines| lines[3]["elapsedMs"] = json!(u64::MAX / 2));
    }),
    ("something follows the end", "I8", |case, run, _| {
        edit(case, run, |lines| {
            lines.push(event(&json!({ "paused": { "by": "x", "reason": "y" } })));
        });
    }),
    ("a run begins twice", "I8", |case, run, _| {
        edit(case, run, |lines| lines.insert(2, lines[0].clone()));
    }),
    ("a mirror tells another story", "I8", |case, run, _| {
        for copy in case.copies.iter_mut().filter(|copy| copy.1 == run) {
            copy.2 = b"{}\n".to_vec();
        }
    }),
    ("a run has no end", "L1", |case, run, _| {
        edit(case, run, |lines| drop(lines.pop()));
    }),
    ("a step begins before its need was done", "I5", |case, run, _| {
        edit(case, run, |lines| {
            lines.retain(|line| line["event"]["ended"]["step"] != 0);
        });
    }),
    ("an outcome has no intent", "I2", |case, run, _| {
        edit(case, run, |lines| drop(lines.remove(position(lines, "intended"))));
    }),
    ("an effect has no intent", "I2", |case, run, _| {
        let mut line = find(case, run, |what| matches!(what, Happening::Begun { .. }));
        if let Happening::Begun { name, .. } = &mut line.what {
            name.attempt = 99;
        }
        case.lines.push(line);
    }),
    ("an intent is in too few places", "I2", |case, run, _| {
        let mut line = find(case, run, |what| matches!(what, Happening::Begun { .. }));
        if let Happening::Begun { held, needed, .. } = &mut line.what {
            *held = *needed - 1;
        }
        case.lines.insert(0, line);
    }),
    ("an unknown outcome becomes a good one", "I6", |case, run, _| {
        edit(case, run, |lines| {
            let at = position(lines, "performed");
            let outcome = lines[at]["event"]["performed"].take();
            lines[at]["event"] = json!({ "unknown": outcome });
        });
    }),
    ("an unknown outcome is tried again", "I6", |case, run, _| {
        edit(case, run, |lines| {
            let at = position(lines, "intended");
            let intent = lines[at].clone();
            let what = intent["event"]["intended"].clone();
            lines.insert(at + 1, event(&json!({ "unknown": what })));
            lines.insert(at + 2, intent);
        });
    }),
    ("done, and it never arrived", "I6", |case, run, _| {
        let charge = |line: &Line| matches!(&line.what, Happening::Arrived { name, .. } if name.run == run && name.step == "charge");
        case.lines.retain(|line| !charge(line));
    }),
    ("failed, and it arrived", "I6", |case, run, _| {
        edit(case, run, |lines| {
            let at = charge_done(lines);
            let outcome = lines[at]["event"]["performed"].take();
            lines[at]["event"] = json!({ "failed": outcome });
        });
    }),
    ("once, and intended twice", "I3", |case, run, _| {
        edit(case, run, |lines| {
            let at = charge_done(lines);
            let step = lines[at]["event"]["performed"]["step"].clone();
            let intent = lines
                .iter()
                .find(|line| line["event"]["intended"]["step"] == step)
                .unwrap()
                .clone();
            lines.insert(at, intent);
        });
    }),
    ("once, and on the wire twice", "I3", |case, run, _| {
        let line = find(
            case,
            run,
            |what| matches!(what, Happening::Arrived { request, .. } if request.contains("exec charge")),
        );
        case.lines.push(line);
    }),
    ("told, and lost", "I1", |case, run, _| {
        let at = case
            .lines
            .iter()
            .position(|line| matches!(&line.what, Happening::Begun { name, .. } if name.run == run))
            .unwrap();
        let mut line = case.lines[at].clone();
        line.what = Happening::Told {
            run: run.to_owned(),
            seq: 1,
            line: "not what is there".to_owned(),
        };
        case.lines.insert(at, line);
    }),
    ("said to have ended, and the end is lost", "I1", |case, run, _| {
        let mut line = find(case, run, |what| matches!(what, Happening::Ended { .. }));
        line.what = Happening::Told {
            run: run.to_owned(),
            seq: 9_999,
            line: String::new(),
        };
        let at = case
            .lines
            .iter()
            .position(|line| matches!(&line.what, Happening::Ended { run: ended, .. } if ended == run))
            .unwrap();
        case.lines.insert(at, line);
    }),
    ("an epoch comes again", "I9", |case, run, _| {
        edit(case, run, |lines| {
            let claim = lines[position(lines, "claimed")].clone();
            lines.insert(position(lines, "claimed"), claim);
        });
    }),
    ("two runs hold one epoch", "I9", |case, run, other| {
        let mut epoch = Value::Null;
        edit(case, run, |lines| {
            epoch = lines[position(lines, "claimed")]["event"]["claimed"]["epoch"].clone();
        });
        edit(case, other, |lines| {
            let at = position(lines, "claimed");
            lines[at]["event"]["claimed"]["epoch"] = epoch.clone();
        });
    }),
    ("two runs go on at once", "I9", |case, run, other| {
        for run in [run, other] {
            let line = find(case, run, |what| matches!(what, Happening::Begun { .. }));
            case.lines.push(line.clone());
            case.lines.insert(0, line);
        }
    }),
    ("an object is made twice", "I4", |case, _, _| {
        let made = |line: &&Line| matches!(&line.what, Happening::Arrived { request, committed: true, .. } if request.contains(" create "));
        let line = case.lines.iter().find(made).unwrap().clone();
        case.lines.push(line);
    }),
    ("both sides serve", "I11", |case, _, _| {
        let all = case.lines.iter_mut();
        for line in all {
            if let Happening::Arrived { both_serve, .. } = &mut line.what {
                *both_serve = true;
            }
        }
    }),
    (
        "an effect is begun before the sites know its epoch",
        "I10",
        |case, _, _| {
            case.fenced = true;
            case.lines
                .retain(|line| !matches!(line.what, Happening::Raised { .. }));
        },
    ),
    ("a change of an older epoch arrives", "I12", |case, run, _| {
        case.fenced = true;
        let line = find(case, run, |what| {
            matches!(what, Happening::Arrived { committed: true, .. })
        });
        let mut claim = line.clone();
        claim.what = Happening::Told {
            run: run.to_owned(),
            seq: 0,
            line: json!({ "event": { "claimed": { "epoch": 1 } } }).to_string(),
        };
        let mut newer = claim.clone();
        newer.who = "m9/9".to_owned();
        newer.what = Happening::Told {
            run: run.to_owned(),
            seq: 0,
            line: json!({ "event": { "claimed": { "epoch": 99 } } }).to_string(),
        };
        let mut begun = find(case, run, |what| matches!(what, Happening::Begun { .. }));
        begun.who = newer.who.clone();
        case.lines.extend([claim, newer, begun, line]);
    }),
    (
        "a run begins in another world than it was planned for",
        "F48",
        |case, run, _| {
            for line in &mut case.lines {
                if let Happening::Planned { run: planned, stands } = &mut line.what
                    && planned == run
                {
                    "east 1, west 1".clone_into(stands);
                }
            }
            case.lines.retain(|line| {
            !matches!(&line.what, Happening::Arrived { sent_ms, .. } if line.at_ms - sent_ms > IN_TIME_MS)
        });
        },
    ),
    ("a dead process sends", "F01", |case, run, _| {
        let mut line = find(case, run, |what| matches!(what, Happening::Arrived { .. }));
        if let Happening::Arrived { sent_ms, .. } = &mut line.what {
            *sent_ms = u64::MAX;
        }
        case.lines.push(line);
    }),
    ("a run is lost to nobody", "F13", |case, run, _| {
        let mut line = find(case, run, |what| matches!(what, Happening::Begun { .. }));
        line.what = Happening::Superseded { run: run.to_owned() };
        case.lines
            .retain(|line| !matches!(&line.what, Happening::Told { run: told, .. } if told == run));
        // Before anybody finds the run at its end, which is a reason.
        case.lines.insert(0, line);
    }),
    ("two leave a run to each other", "F13", |case, run, _| {
        edit(case, run, |lines| {
            let operator = json!({ "name": "anna", "host": "m9", "pid": 9 });
            lines.insert(1, event(&json!({ "resumed": { "operator": operator } })));
        });
        let mut line = find(case, run, |what| matches!(what, Happening::Begun { .. }));
        let mut other = line.clone();
        other.who = "m9/9".to_owned();
        other.what = Happening::Yielded { run: run.to_owned() };
        line.what = Happening::Superseded { run: run.to_owned() };
        case.lines.splice(0..0, [other, line]);
    }),
];

fn event(event: &Value) -> Value {
    json!({ "seq": 0, "at": "2026-11-22T23:00:00Z", "elapsedMs": u64::MAX / 4, "prev": "", "event": event })
}

fn position(lines: &[Value], event: &str) -> usize {
    lines
        .iter()
        .position(|line| line["event"].get(event).is_some())
        .unwrap()
}

/// Where `charge`, which may be done once, is recorded as done.
fn charge_done(lines: &[Value]) -> usize {
    let steps = lines[0]["event"]["began"]["plan"]["steps"].as_array().unwrap();
    let step = steps.iter().position(|step| step["name"] == "charge").unwrap();
    lines
        .iter()
        .position(|line| line["event"]["performed"]["step"] == step)
        .unwrap()
}

fn find(case: &Case, run: &str, fits: fn(&Happening) -> bool) -> Line {
    let of = |what: &Happening| match what {
        Happening::Begun { name, .. } | Happening::Arrived { name, .. } => name.run == run,
        Happening::Ended { run: ended, .. } => ended == run,
        _ => false,
    };
    case.lines
        .iter()
        .find(|line| of(&line.what) && fits(&line.what))
        .unwrap()
        .clone()
}

/// Changes the text of a journal and leaves its chain as it was.
fn raw(case: &mut Case, run: &str, change: impl FnOnce(&mut Vec<String>)) {
    let text = String::from_utf8(case.journals[run].clone()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    put(case, run, lines.join("\n") + "\n");
}

/// Changes what a journal says, and makes its chain fit.
fn edit(case: &mut Case, run: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let text = String::from_utf8(case.journals[run].clone()).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    change(&mut lines);
    let (mut whole, mut prev) = (String::new(), String::new());
    for (at, line) in lines.iter_mut().enumerate() {
        line["seq"] = json!(at);
        line["prev"] = json!(prev);
        let text = line.to_string();
        prev = hex(&Sha256::digest(text.as_bytes()));
        whole = whole + &text + "\n";
    }
    put(case, run, whole);
}

/// Everybody has this journal, and nobody was told anything else.
fn put(case: &mut Case, run: &str, text: String) {
    for copy in case.copies.iter_mut().filter(|copy| copy.1 == run) {
        copy.2 = text.clone().into_bytes();
    }
    case.journals.insert(run.to_owned(), text.into_bytes());
    case.lines
        .retain(|line| !matches!(&line.what, Happening::Told { run: told, .. } if told == run));
}

/// A good history in which everything happens that is forged, and two of its runs.
fn good() -> (Case, String, String) {
    for seed in 0.. {
        let case = incident(seed, None);
        let did = |run: &str, words: &str| {
            case.lines.iter().any(|line| {
                matches!(&line.what, Happening::Arrived { name, request, committed: true, .. }
                    if name.run == run && request.contains(words))
            })
        };
        let holds = |run: &str, words: &str| String::from_utf8_lossy(&case.journals[run]).contains(words);
        let begun = |run: &str| {
            case.lines
                .iter()
                .any(|line| matches!(&line.what, Happening::Begun { name, .. } if name.run == run))
        };
        let ended = |run: &str| {
            case.lines
                .iter()
                .any(|line| matches!(&line.what, Happening::Ended { run: ended, .. } if ended == run))
        };
        let rich = |run: &&String| {
            did(run, "exec charge")
                && did(run, "create jobs")
                && did(run, "patch")
                && ended(run)
                && holds(run, "claimed")
                && !holds(run, "{\"retry-ordered")
                && !holds(run, "{\"unknown\"")
                && !holds(run, "\"phase\":\"undo\"")
                && !holds(run, "marked-done")
                && holds(run, "recovered\"")
        };
        let Some(run) = case.journals.keys().find(rich) else {
            continue;
        };
        let other = case
            .journals
            .keys()
            .find(|other| *other != run && holds(other, "claimed") && begun(other));
        if let Some(other) = other {
            let pair = (run.clone(), other.clone());
            return (case, pair.0, pair.1);
        }
    }
    unreachable!("the seeds are endless")
}

#[test]
fn every_forged_history_is_found_by_the_rule_that_it_breaks() {
    let (case, run, other) = good();
    assert_eq!(
        judged(&case),
        Vec::<String>::new(),
        "it is good before it is forged"
    );
    for (what, rule, forge) in FORGERIES {
        let mut forged = case.clone();
        forge(&mut forged, &run, &other);
        let found = wrong(&forged);
        let named = found.iter().any(|found| found.starts_with(&format!("{rule}:")));
        assert!(named, "{what}: {rule} is not among {found:?}");
    }
    println!("{} forgeries", FORGERIES.len());
}
