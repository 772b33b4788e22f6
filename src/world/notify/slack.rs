//! Messages of Slack's incoming webhooks.

use crate::world::port::Notice;

/// The body: one text. What Slack would take for a mention (`<!channel>`) or a link is shown as it was written.
pub(super) fn body(notice: &Notice) -> String {
    let text = notice
        .text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let text = format!("{text}\n{} · {}", notice.run, notice.step);
    serde_json::json!({ "text": text }).to_string()
}
