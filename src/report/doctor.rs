//! `lifeboat doctor`: what was found out of each store, for somebody who is tired.

use super::lines::{clean, ends, hang, pad, text};
use super::units::count;
use crate::world::doctor::{Examination, Finding, Verdict};

/// Columns of the property's words and of the verdict's.
const WORDS: (usize, usize) = (11, 9);

/// All stores, one after the other, with a line break at the end.
pub fn doctor(found: &[Examination], columns: usize) -> String {
    let mut out = Vec::new();
    for one in found {
        if !out.is_empty() {
            out.push(String::new());
        }
        out.push(ends(
            &format!("Store {}", clean(&one.store)),
            &clean(&one.address),
            columns,
        ));
        out.extend(one.findings.iter().flat_map(|finding| lines(finding, columns)));
        out.push(hang("  = ", &sum(one), columns));
    }
    text(&out)
}

fn lines(finding: &Finding, columns: usize) -> Vec<String> {
    let label = format!(
        "  {}  {}  ",
        pad(finding.property.word(), WORDS.0),
        pad(verdict(finding.verdict), WORDS.1)
    );
    let mut lines = vec![hang(&label, &clean(&finding.seen), columns)];
    if finding.verdict == Verdict::Fails {
        let behind = " ".repeat(label.len());
        lines.push(hang(&format!("{behind}so: "), finding.property.breaks(), columns));
    }
    lines
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Fails => "FAILS",
        Verdict::NotKnown => "not known",
    }
}

fn sum(one: &Examination) -> String {
    match one.unfit() {
        Some(finding) => format!(
            "It can hold neither journals nor epochs, because `{}` fails.",
            finding.property.word()
        ),
        None if one.fit() => "It can hold journals and epochs.".to_owned(),
        None => {
            let open = one.findings.iter().filter(|finding| {
                finding.property.carries_journals() && finding.verdict == Verdict::NotKnown
            });
            format!(
                "Whether it can hold journals is not known: {} could not be made.",
                count(open.count(), "trial")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::doctor::Property;

    fn finding(property: Property, verdict: Verdict, seen: &str) -> Finding {
        Finding {
            property,
            verdict,
            seen: seen.to_owned(),
        }
    }

    fn examination(store: &str, findings: Vec<Finding>) -> Examination {
        Examination {
            store: store.to_owned(),
            address: format!("s3://acme-{store}/shop/"),
            at: "2026-11-22T23:00:00Z".parse().unwrap(),
            findings,
        }
    }

    #[test]
    fn each_store_says_what_holds_what_fails_and_what_breaks() {
        let refused = "a second writer of a key was refused, and the first one's bytes are there";
        let good = examination(
            "vault",
            vec![
                finding(Property::CreateOnce, Verdict::Holds, refused),
                finding(Property::Versions, Verdict::Fails, "an object has no version"),
            ],
        );
        let bad = examination(
            "cheap",
            vec![finding(
                Property::OneWinner,
                Verdict::Fails,
                "in race 3 of 10, 2 of 8 writers were told that they created one key",
            )],
        );
        let away = examination(
            "away",
            vec![finding(
                Property::CreateOnce,
                Verdict::NotKnown,
                "connection refused",
            )],
        );
        let said = doctor(&[good, bad, away], 80);
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
        insta::assert_snapshot!(said, @r"
        Store vault                                                s3://acme-vault/shop/
          create once  holds      a second writer of a key was refused, and the first
                                  one's bytes are there
          versions     FAILS      an object has no version
                                  so: what is overwritten or deleted, by mistake or by a
                                      thief, is gone
          = It can hold journals and epochs.

        Store cheap                                                s3://acme-cheap/shop/
          one winner   FAILS      in race 3 of 10, 2 of 8 writers were told that they
                                  created one key
                                  so: two processes can carry one run, each sure to be
                                      the only one: no journal, no epoch
          = It can hold neither journals nor epochs, because `one winner` fails.

        Store away                                                  s3://acme-away/shop/
          create once  not known  connection refused
          = Whether it can hold journals is not known: 1 trial could not be made.
        ");
    }
}
