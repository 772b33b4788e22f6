//! What sites said when they were asked whether they would take a plan's changes.

use std::collections::BTreeMap;

use super::lines::{clean, hang, text};
use super::plan_text::PlanView;
use super::units::count;
use crate::effect::{Rehearsal, Rehearsed, WorldError, Would};

/// Objects that are named under one reason.
const NAMED: usize = 3;

/// One effect of a step, and what was said.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The step.
    pub step: String,
    /// What it does, in a word.
    pub verb: String,
    /// The answers; or why there are none.
    pub said: Result<Rehearsal, WorldError>,
}

impl Answered {
    /// Whether something of it would be refused, or nobody answered.
    pub fn is_bad(&self) -> bool {
        match &self.said {
            Ok(Rehearsal::Asked(answers)) => answers.iter().any(|one| matches!(one.answer, Would::Refuse(_))),
            Ok(Rehearsal::Whole { answer, .. }) => matches!(answer, Would::Refuse(_)),
            Ok(Rehearsal::Not(_)) => false,
            Err(_) => true,
        }
    }
}

/// All of it, with a line break at its end.
pub fn rehearsal(all: &[Answered], columns: usize) -> String {
    let columns = columns.max(PlanView::NARROWEST);
    let mut out = vec![
        hang(
            "",
            "Rehearsal  asked with dryRun=All; nothing was changed",
            columns,
        ),
        String::new(),
    ];
    let mut silent: Vec<String> = Vec::new();
    for one in all {
        let head = format!("  {}  ", clean(&one.step));
        match &one.said {
            Ok(Rehearsal::Not(why)) => {
                silent.push(format!("{} ({}: {})", clean(&one.step), one.verb, clean(why)));
            }
            Ok(Rehearsal::Whole { answer, open }) => out.push(hang(&head, &whole(answer, open), columns)),
            Ok(Rehearsal::Asked(answers)) => {
                out.push(hang(&head, &counts(answers), columns));
                out.extend(reasons(answers, columns));
            }
            Err(error) => out.push(hang(
                &head,
                &format!("not known: {}", clean(&error.to_string())),
                columns,
            )),
        }
    }
    if !silent.is_empty() {
        out.push(hang("  not rehearsed: ", &silent.join(", "), columns));
    }
    out.push(String::new());
    out.push(hang("", LIMITS, columns));
    text(&out)
}

fn whole(answer: &Would, open: &str) -> String {
    match answer {
        Would::Accept => format!("would be accepted; {}", clean(open)),
        Would::Refuse(why) => format!("would be refused: {}", clean(why)),
        Would::Unknown(why) => format!("could not be asked: {}", clean(why)),
    }
}

/// What such answers are worth.
const LIMITS: &str = "Each object was judged alone and as things are now: what the plan makes before it was not \
                      there, and quotas counted none of the others.";

fn counts(answers: &[Rehearsed]) -> String {
    let mut words = [
        (0, "would be accepted"),
        (0, "would be refused"),
        (0, "could not be asked"),
    ];
    for one in answers {
        let at = match one.answer {
            Would::Accept => 0,
            Would::Refuse(_) => 1,
            Would::Unknown(_) => 2,
        };
        words[at].0 += 1;
    }
    let said: Vec<String> = words
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    if said.is_empty() {
        return "nothing would be sent".to_owned();
    }
    format!("{}: {}", count(answers.len(), "object"), said.join(", "))
}

/// Every refusal; what could not be asked, by reason.
fn reasons(answers: &[Rehearsed], columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut unknown: BTreeMap<&str, Vec<&Rehearsed>> = BTreeMap::new();
    for one in answers {
        match &one.answer {
            Would::Accept => {}
            Would::Refuse(why) => {
                let line = format!("{} {}: {}", one.request, one.id, why);
                out.push(hang("    refused  ", &clean(&line), columns));
            }
            Would::Unknown(why) => unknown.entry(why).or_default().push(one),
        }
    }
    for (why, all) in unknown {
        let names: Vec<String> = all.iter().take(NAMED).map(|one| one.id.to_string()).collect();
        let more = match all.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let line = format!("{why}: {}{more}", names.join(", "));
        out.push(hang("    unasked  ", &clean(&line), columns));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::ErrorKind;
    use crate::report::sample::object;

    fn one(name: &str, answer: Would) -> Rehearsed {
        Rehearsed {
            id: object("ConfigMap", Some("shop"), name),
            request: "create".into(),
            answer,
        }
    }

    #[test]
    fn refusals_are_in_the_servers_words_and_what_was_not_asked_is_never_accepted() {
        let absent = || Would::Unknown("namespace shop is not there yet".into());
        let refused = Would::Refuse("exceeded quota: small, requested: count/configmaps=1".into());
        let mut answers = vec![one("a", Would::Accept), one("b", refused)];
        answers.extend(["c", "d", "e", "f"].map(|name| one(name, absent())));
        let answered = |step: &str, verb: &str, said| Answered {
            step: step.into(),
            verb: verb.into(),
            said,
        };
        let all = [
            answered("restore", "restore", Ok(Rehearsal::Asked(answers))),
            answered("web-up", "wait", Ok(Rehearsal::Not("it changes nothing".into()))),
            answered(
                "move",
                "dns",
                Ok(Rehearsal::Whole {
                    answer: Would::Accept,
                    open: "the rest only a change shows".into(),
                }),
            ),
            answered(
                "say",
                "notify",
                Ok(Rehearsal::Whole {
                    answer: Would::Accept,
                    open: "the rest only telling shows".into(),
                }),
            ),
            answered(
                "stop",
                "scale",
                Err(WorldError::new(ErrorKind::Unreachable, "east", "no answer")),
            ),
        ];
        insta::assert_snapshot!(rehearsal(&all, 80), @r"
        Rehearsal  asked with dryRun=All; nothing was changed

          restore  6 objects: 1 would be accepted, 1 would be refused, 4 could not be
                   asked
            refused  create ConfigMap shop/b: exceeded quota: small, requested:
                     count/configmaps=1
            unasked  namespace shop is not there yet: ConfigMap shop/c, ConfigMap
                     shop/d, ConfigMap shop/e and 1 more
          move  would be accepted; the rest only a change shows
          say  would be accepted; the rest only telling shows
          stop  not known: east: no answer
          not rehearsed: web-up (wait: it changes nothing)

        Each object was judged alone and as things are now: what the plan makes before
        it was not there, and quotas counted none of the others.
        ");
        assert!(
            all[0].is_bad() && !all[1].is_bad() && !all[2].is_bad() && !all[3].is_bad() && all[4].is_bad()
        );
    }
}
