//! Late values in texts for people: what receipts have told by now is shown, the rest stays `${…}`.

use crate::effect::Effect;
use crate::text::Piece;

/// The effect with outputs of earlier steps as far as `output` (step, name) knows them. Planning has
/// put in the rest.
pub(crate) fn bound(effect: &Effect, output: impl Fn(&str, &str) -> Option<String>) -> Effect {
    let mut effect = effect.clone();
    for text in effect.meaning_mut().late() {
        text.bind(|piece| match piece {
            Piece::Output { step, name } => output(step, name),
            Piece::Literal(_) | Piece::Namespace(_) => None,
        });
    }
    effect
}
