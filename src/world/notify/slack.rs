//! Messages of Slack's incoming webhooks.

use crate::effect::Tell;
use crate::world::port::Notice;

/// The body: one text, and below it which run and step says so. Slack knows no ids; by these people know a repeat.
pub(super) fn body(notice: &Notice) -> String {
    let text = format!(
        "{}\n{} · {}",
        Tell::for_slack(&notice.text),
        notice.run,
        notice.step
    );
    serde_json::json!({ "text": text }).to_string()
}
