//! The one place where a restore decides about objects that give somebody power: allowed by the words of
//! the runbook, or refused.
//!
//! ## Why
//!
//! - Judged is what would change: an object that is there already, equal or left as it is, gives nobody more
//!   than they have.
//! - An allowance counts as needed also by an object that is there already: it is for the day when the
//!   object is not.
//! - Who is outside of the restore is known when all of the archive was seen, and what is related too. So
//!   objects are noted first and decided at the end.

use std::collections::BTreeSet;

use serde_json::Value;

use super::index::{Index, Took};
use crate::effect::{Allowance, RestoreObjects};
use crate::objects::{Danger, Risk, Subject, risks, subjects};
use crate::world::actor::marks::text;

/// Everything of one restore that gives power.
#[derive(Default)]
pub(super) struct Dangers {
    noted: Vec<Noted>,
}

struct Noted {
    /// Position among the entries of the index.
    at: usize,
    /// As an allowance names the object, by its name in the backup: `Role/shop/web`.
    word: String,
    found: Vec<Danger>,
    /// Who gets rights and is not of the object's own namespace.
    others: Vec<Subject>,
    /// Whether the restore changes anything by it.
    changes: bool,
}

impl Dangers {
    /// Notes one object as it would be made. `changes`: whether it is made or changed by this restore.
    pub(super) fn note(
        &mut self,
        at: usize,
        word: String,
        made: &Value,
        live: Option<&Value>,
        changes: bool,
    ) {
        let found = risks(made, live.filter(|_| changes));
        let home = text(made, "/metadata/namespace");
        let own = |one: &Subject| matches!(one, Subject::Of(name) if name == home);
        let others: Vec<Subject> = subjects(made).into_iter().filter(|one| !own(one)).collect();
        if !found.is_empty() || !others.is_empty() {
            self.noted.push(Noted {
                at,
                word,
                found,
                others,
                changes,
            });
        }
    }

    /// Refuses what is not allowed, and says what is. `idle`: what is not restored after all. `inside`: the
    /// namespaces of the restore, by their names at the target.
    pub(super) fn decide(
        self,
        index: &mut Index,
        effect: &RestoreObjects,
        idle: &BTreeSet<usize>,
        inside: &BTreeSet<&str>,
    ) {
        let mut needed = BTreeSet::new();
        for mut noted in self.noted.into_iter().filter(|one| !idle.contains(&one.at)) {
            // A drill takes outsiders off its bindings.
            if !effect.confined {
                noted.found.extend(outsiders(&noted.others, inside));
            }
            let mut refused = Vec::new();
            for (risk, why) in noted.found {
                match allowed(&effect.allow, risk, &noted.word) {
                    Some((number, allowance)) => {
                        needed.insert(number);
                        if noted.changes {
                            took(index, noted.at, risk, why, allowance);
                        }
                    }
                    None => refused.push(format!(
                        "{why}; to allow it: {{risk: {}, objects: [{}], because: …}}",
                        risk.word(),
                        noted.word
                    )),
                }
            }
            if noted.changes && !refused.is_empty() {
                index.refuse(noted.at, &refused.join("; "));
            }
        }
        if !effect.confined {
            index.idle_allowances = unneeded(&effect.allow, &needed);
        }
    }
}

fn outsiders(others: &[Subject], inside: &BTreeSet<&str>) -> Option<Danger> {
    let outside: Vec<String> = others
        .iter()
        .filter_map(|one| match one {
            Subject::Of(namespace) if inside.contains(namespace.as_str()) => None,
            Subject::Of(namespace) => Some(format!("accounts of namespace {namespace}")),
            Subject::Other(words) => Some(words.clone()),
        })
        .collect();
    let why = format!(
        "it gives rights to {}, outside of this restore",
        outside.join(", ")
    );
    (!outside.is_empty()).then_some((Risk::OutsideSubjects, why))
}

fn allowed<'a>(allow: &'a [Allowance], risk: Risk, word: &str) -> Option<(usize, &'a Allowance)> {
    let mut all = allow.iter().enumerate();
    all.find(|(_, allowance)| allowance.covers(risk, word))
}

fn took(index: &mut Index, at: usize, risk: Risk, why: String, allowance: &Allowance) {
    let note = format!("{why}; allowed ({}): {}", risk.word(), allowance.because);
    index.notes.entry(at).or_default().push(note);
    index.took.push(Took {
        at,
        risk,
        why,
        because: allowance.because.clone(),
    });
}

/// Allowances that no object of the backup needs: a name that is misspelt, or an object that is gone.
fn unneeded(allow: &[Allowance], needed: &BTreeSet<usize>) -> Vec<String> {
    let all = allow.iter().enumerate();
    all.filter(|(number, _)| !needed.contains(number))
        .map(|(_, one)| format!("{} of {}", one.risk.word(), one.objects.join(", ")))
        .collect()
}
