//! Performs [`CompareObjects`], by the code behind `lifeboat backup diff`.
//!
//! ## Why
//!
//! - A receipt names each object that differs and the places, never the values: one of them may be a password,
//!   and a report is read by more people than a backup.
//! - It is bounded. A journal is read by a tired person, and whoever wants all of it has the command.

use super::World;
use super::library::Held;
use super::library::objects::{of_backup, of_site};
use super::marks::counted;
use super::probe::known;
use crate::effect::{Attempt, CompareObjects, ErrorKind, OtherSide, Receipt, WorldError};
use crate::objects::{Changed, Difference, ObjectId};

/// Objects that a receipt names: more than a person reads in an incident, and 50 KB in the journal at most.
const FOUND_MAX: usize = 100;
/// Places of one object, as many as `backup diff` shows.
const PLACES_MAX: usize = 8;
/// Letters of one line: keys of labels and of configuration may have hundreds.
const LINE_MAX: usize = 500;
/// Objects that an error names: it has to fit into a line of a terminal or two.
const NAMED: usize = 10;

impl World {
    pub(super) async fn compare(
        &self,
        effect: &CompareObjects,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let name = known(&effect.backup)?;
        (attempt.progress)(format!("reading {name}"));
        let before = self.objects_of(&effect.store, &name, effect).await?;
        let (other, after) = self.other(effect, (&name, &before), attempt).await?;
        let found = Difference::between(&before.objects, &after.objects);
        let sides = format!("{name} → {other}");
        let unexpected = unexpected(effect, &found);
        if unexpected.is_empty() {
            return Ok(receipt(&sides, &found, &before, &after));
        }
        let store = self.store(&effect.store)?.address();
        Err(refused(&store, &sides, &unexpected))
    }

    /// The second side, and what it is called.
    async fn other(
        &self,
        effect: &CompareObjects,
        (name, before): (&str, &Held),
        attempt: &Attempt,
    ) -> Result<(String, Held), WorldError> {
        match &effect.with {
            OtherSide::Backup { store, backup } => {
                let other = known(backup)?;
                if *store == effect.store && other == name {
                    return Ok(("itself".to_owned(), before.clone()));
                }
                (attempt.progress)(format!("reading {other}"));
                let held = self.objects_of(store, &other, effect).await?;
                Ok((other, held))
            }
            OtherSide::Site(site) => {
                (attempt.progress)(format!("reading {site}"));
                let held = of_site(&self.site(site)?, &before.wanted).await?;
                Ok((format!("{site} as it is"), held))
            }
        }
    }

    async fn objects_of(&self, store: &str, name: &str, effect: &CompareObjects) -> Result<Held, WorldError> {
        of_backup(&*self.store(store)?, name, &effect.namespaces).await
    }
}

fn receipt(sides: &str, found: &Difference, before: &Held, after: &Held) -> Receipt {
    let (added, removed, changed) = (found.added.len(), found.removed.len(), found.changed.len());
    let counts = [
        ("added", added as u64),
        ("removed", removed as u64),
        ("changed", changed as u64),
        ("equal", found.equal),
        ("differences", (added + removed + changed) as u64),
    ];
    let equal = found.equal;
    Receipt {
        summary: format!("{sides}: {added} added, {removed} removed, {changed} changed, {equal} equal"),
        outputs: counts
            .map(|(name, count)| (name.to_owned(), count.to_string()))
            .into(),
        found: bounded(lines(found)),
        skipped: not_compared(before, after),
        ..Receipt::default()
    }
}

/// One line for each object that differs, by what became of it.
fn lines(found: &Difference) -> Vec<String> {
    let one = |mark: char| move |id: &ObjectId| cut(format!("{mark} {id}"));
    let mut all: Vec<String> = found.added.iter().map(one('+')).collect();
    all.extend(found.removed.iter().map(one('-')));
    all.extend(found.changed.iter().map(|one| cut(format!("~ {}", words(one)))));
    all
}

fn words(changed: &Changed) -> String {
    let places: Vec<&str> = changed
        .paths
        .iter()
        .take(PLACES_MAX)
        .map(String::as_str)
        .collect();
    let more = match changed.paths.len().saturating_sub(PLACES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}: {}{more}", changed.object, places.join(", "))
}

fn cut(line: String) -> String {
    match line.char_indices().nth(LINE_MAX) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line,
    }
}

fn bounded(mut lines: Vec<String>) -> Vec<String> {
    let all = lines.len();
    if all > FOUND_MAX {
        lines.truncate(FOUND_MAX);
        lines.push(format!(
            "and {} more: lifeboat backup diff names all of them",
            all - FOUND_MAX
        ));
    }
    lines
}

/// What nobody compared, of the two sides together.
fn not_compared(before: &Held, after: &Held) -> Vec<String> {
    let mut reasons = before.not_compared.clone();
    for (why, count) in &after.not_compared {
        *reasons.entry(why.clone()).or_default() += count;
    }
    let one = |(why, count): (String, u64)| {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        format!(
            "comparing {} of both sides together: {why}",
            counted(count, "object")
        )
    };
    reasons.into_iter().map(one).collect()
}

/// What differs and should not.
fn unexpected(effect: &CompareObjects, found: &Difference) -> Vec<String> {
    let stranger = |id: &&ObjectId| !effect.expects(id);
    let one = |mark: char| move |id: &ObjectId| format!("{mark} {id}");
    let mut all: Vec<String> = found.added.iter().filter(stranger).map(one('+')).collect();
    all.extend(found.removed.iter().filter(stranger).map(one('-')));
    let changed = found.changed.iter().map(|changed| &changed.object);
    all.extend(changed.filter(stranger).map(one('~')));
    all
}

fn refused(store: &str, sides: &str, unexpected: &[String]) -> WorldError {
    let named: Vec<&str> = unexpected.iter().take(NAMED).map(String::as_str).collect();
    let more = match unexpected.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "{sides}: {} may not differ and {}: {}{more}",
        counted(unexpected.len(), "object"),
        if unexpected.len() == 1 { "does" } else { "do" },
        named.join(", ")
    );
    WorldError::new(ErrorKind::Rejected, store, cut(message))
        .hint("look at where they differ: lifeboat backup diff")
}
