//! The inventory's receivers of messages.

use std::path::Path;

use super::sites::check_one_of;
use super::{path, spanned};
use crate::runbook::{Address, Receiver, ReceiverEndpoint};
use crate::text::{Diagnostic, Diagnostics, Key, Node, codes, is_private};

/// Reads one receiver of a document that has been held against the schema.
pub(super) fn read(key: &Key, node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Receiver> {
    let endpoint = if let Some((inner, node)) = node.entry("webhook") {
        check_one_of(inner, node, &["url", "urlFile"], found);
        ReceiverEndpoint::Webhook {
            url: address(node, folder, found)?,
            key_file: path(node, "keyFile", folder)?,
        }
    } else if let Some(node) = node.get("slack") {
        ReceiverEndpoint::Slack {
            url_file: path(node, "urlFile", folder)?,
        }
    } else {
        node.get("embedded")?;
        ReceiverEndpoint::Embedded
    };
    Some(Receiver {
        name: key.clone(),
        endpoint,
    })
}

fn address(node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Address> {
    let Some(url) = spanned(node, "url") else {
        return path(node, "urlFile", folder).map(Address::File);
    };
    if !is_private(&url.value) {
        let message = "what is told would go over the network for everybody to read";
        let open = Diagnostic::error(codes::BAD_ADDRESS, message, url.span, "neither https nor this machine");
        found.push(open.help("write `https://…`"));
    }
    Some(Address::Known(url.value))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_text, rendered};
    use crate::runbook::{Address, ReceiverEndpoint};

    fn inventory(notify: &str) -> String {
        format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: Sites\nmetadata: {{ name: acme }}\nspec:\n  \
             sites: {{ east: {{ embedded: {{}} }} }}\n  notify:\n    {notify}\n"
        )
    }

    #[test]
    fn addresses_and_keys_are_places() {
        let (loaded, _) = load_text(&inventory(
            "a: { webhook: { url: 'https://hooks.example/x', keyFile: a.key } }\n    \
             b: { webhook: { urlFile: /run/b, keyFile: /run/b.key } }\n    \
             c: { slack: { urlFile: c.url } }\n    d: { embedded: {} }",
        ));
        let receivers = loaded.sites.unwrap().notify;
        let endpoint = |name: &str| receivers[name].endpoint.clone();
        assert_eq!(
            endpoint("b"),
            ReceiverEndpoint::Webhook {
                url: Address::File("/run/b".into()),
                key_file: "/run/b.key".into(),
            }
        );
        let ReceiverEndpoint::Webhook { url, key_file } = endpoint("a") else {
            panic!("a webhook")
        };
        assert_eq!(url, Address::Known("https://hooks.example/x".into()));
        assert!(key_file.ends_with("a.key"), "{key_file:?}");
        assert!(matches!(endpoint("c"), ReceiverEndpoint::Slack { .. }));
        assert_eq!(endpoint("d"), ReceiverEndpoint::Embedded);
    }

    #[test]
    fn what_cannot_be_reached_safely_is_refused_where_it_stands() {
        insta::assert_snapshot!(rendered(&inventory(
            "a: { webhook: { url: 'http://hooks.example/x', keyFile: a.key } }\n    \
             b: { webhook: { keyFile: b.key } }\n    c: { slack: { url: 'https://hooks.slack.com/x' } }\n    d: {}",
        )), @"");
    }
}
