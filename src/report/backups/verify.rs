//! `lifeboat backup verify`: what a whole reading showed.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{fact, old};
use crate::report::lines::{clean, text};
use crate::report::units::{bytes, moment};
use crate::world::library::{Verdict, Verification, Writer};

/// The page, with a line break at its end. `written`: a proof was written just now.
pub fn backup_verification(
    found: &Verification,
    written: Option<Timestamp>,
    now: Timestamp,
    zone: &TimeZone,
    columns: usize,
) -> String {
    let headline = match found.verdict {
        Verdict::Whole => "is whole: every byte is what was written.",
        Verdict::Wrong if found.writer == Writer::Lifeboat => "is NOT what was written.",
        Verdict::Wrong => "is NOT whole: its parts do not agree.",
        Verdict::NotProvable => "can be read to its end, and is not verified.",
    };
    let mut out = vec![format!("Backup {} {headline}", clean(&found.name))];
    let mut say = |label: &str, what: String| out.push(fact(label, &what, columns));
    for wrong in &found.wrong {
        say("Wrong", wrong.clone());
    }
    if let Some(at) = found.consistent_at {
        say("Moment", format!("{}, {} old", moment(at, zone), old(at, now)));
    }
    if let Some(objects) = found.objects {
        say("Objects", objects_line(objects, found));
    }
    if let (Some(size), Some(sum)) = (found.archive_bytes, &found.archive_sha256) {
        say("Archive", format!("{}, SHA-256 {sum}", bytes(size)));
    }
    say("Proof", proof(found, written, zone));
    for note in &found.notes {
        say("Note", note.clone());
    }
    text(&out)
}

fn objects_line(objects: u64, found: &Verification) -> String {
    let copies = match found.copies {
        Some(copies) if copies == objects => ", each there in two equal copies".to_owned(),
        Some(copies) => format!(", {copies} of them in two equal copies"),
        None => String::new(),
    };
    match found.verdict {
        Verdict::Whole => format!("{objects}, each with the checksum in its manifest{copies}"),
        Verdict::Wrong | Verdict::NotProvable => format!("{objects}{copies}"),
    }
}

fn proof(found: &Verification, written: Option<Timestamp>, zone: &TimeZone) -> String {
    match (found.verdict, written, found.proved_at) {
        (_, Some(at), _) => format!("written now, {}; `latest-verified` may mean it", moment(at, zone)),
        (Verdict::Whole, None, Some(at)) => format!("there since {}", moment(at, zone)),
        (Verdict::Whole, None, None) => "none was there, and none was written".to_owned(),
        (Verdict::Wrong, None, _) => "none was written".to_owned(),
        (Verdict::NotProvable, None, _) => {
            "none: Velero records no checksums, so a changed object cannot be told from the true one"
                .to_owned()
        }
    }
}
