//! What a restore's target lacks, as errors and warnings of the plan.

use super::{Warning, codes, judge};
use crate::effect::{Lack, RestorePreview};
use crate::text::{Diagnostic, Span};

/// What a plan says one by one; the rest has one line. All of it is in the JSON.
const SHOWN: usize = 12;

/// What the server would refuse, at the step that restores it.
pub(super) fn refused(name: &str, span: Span, preview: &RestorePreview) -> Option<Diagnostic> {
    let refused: Vec<&Lack> = preview.lacks.iter().filter(|lack| lack.refuses).collect();
    if refused.is_empty() {
        return None;
    }
    let message = format!("step `{name}` would be refused by its API server");
    let mut diagnostic = Diagnostic::error(codes::NO_ROOM, message, span, "this step");
    for lack in refused.iter().take(SHOWN) {
        diagnostic = diagnostic.help(lack.sentence()).help(lack.hint.clone());
    }
    if refused.len() > SHOWN {
        diagnostic = diagnostic.help(format!("and {} more", refused.len() - SHOWN));
    }
    Some(diagnostic)
}

/// What keeps restored things from working.
pub(super) fn warnings(restores: &[&RestorePreview]) -> Vec<Warning> {
    let lacks: Vec<&Lack> = restores
        .iter()
        .flat_map(|preview| &preview.lacks)
        .filter(|lack| !lack.refuses)
        .collect();
    let warning = |message: String, hint: &str| judge::warning(codes::LACKING, &message, hint);
    let shown = lacks.iter().take(SHOWN);
    let mut warnings: Vec<Warning> = shown.map(|lack| warning(lack.sentence(), &lack.hint)).collect();
    if lacks.len() > SHOWN {
        let more = format!("the target lacks {} more things", lacks.len() - SHOWN);
        warnings.push(warning(more, "`lifeboat plan --json` has all of them"));
    }
    warnings
}
