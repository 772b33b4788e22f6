//! How an inventory says who can be told.

use schemars::JsonSchema;

/// Who can be told: `webhook`, `slack` or `embedded`.
#[derive(JsonSchema)]
pub(super) struct ReceiverForm {
    /// An address that takes signed messages, by the rules of Standard Webhooks.
    webhook: Option<WebhookForm>,
    /// An incoming webhook of Slack.
    slack: Option<SlackForm>,
    /// Nobody: for demonstrations and tests.
    embedded: Option<NobodyForm>,
}

/// An address that takes signed messages: one of `url`, `urlFile`, `urlEnv`, and one of `keyFile`, `keyEnv`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct WebhookForm {
    /// `https://…`; of this machine also `http://…`.
    url: Option<String>,
    /// A file that holds the address, where that is a secret itself.
    #[schemars(extend("format" = "path"))]
    url_file: Option<String>,
    /// The environment variable that holds it.
    url_env: Option<String>,
    /// The file of the key that signs: `whsec_` and base64, as receivers give it out.
    #[schemars(extend("format" = "path"))]
    key_file: Option<String>,
    /// The environment variable that holds it.
    key_env: Option<String>,
}

/// An incoming webhook of Slack. Its address is the secret, so only the place of that stands here: `urlFile` or
/// `urlEnv`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct SlackForm {
    /// The file that holds the address, `https://hooks.slack.com/services/…`.
    #[schemars(extend("format" = "path"))]
    url_file: Option<String>,
    /// The environment variable that holds it.
    url_env: Option<String>,
}

/// Nobody.
#[derive(JsonSchema)]
struct NobodyForm {}
