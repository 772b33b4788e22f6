//! The inventory's receivers of messages.

use std::path::Path;

use super::sites::check_one_of;
use super::{path, spanned};
use crate::runbook::{Address, Receiver, ReceiverEndpoint, Secret};
use crate::text::{Diagnostic, Diagnostics, Key, Node, Spanned, codes, is_private};

/// The host of Slack's incoming webhooks: everything behind it is a secret.
const SLACK: &str = "hooks.slack.com";

/// Reads one receiver of a document that has been held against the schema.
pub(super) fn read(key: &Key, node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Receiver> {
    let endpoint = if let Some((inner, node)) = node.entry("webhook") {
        check_one_of(inner, node, &["url", "urlFile", "urlEnv"], found);
        check_one_of(inner, node, &["keyFile", "keyEnv"], found);
        ReceiverEndpoint::Webhook {
            url: address(node, folder, found)?,
            key: secret(node, ["keyFile", "keyEnv"], folder, found)?,
        }
    } else if let Some((inner, node)) = node.entry("slack") {
        check_one_of(inner, node, &["urlFile", "urlEnv"], found);
        ReceiverEndpoint::Slack {
            url: secret(node, ["urlFile", "urlEnv"], folder, found)?,
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

fn secret(
    node: &Node,
    [in_file, in_env]: [&str; 2],
    folder: &Path,
    found: &mut Diagnostics,
) -> Option<Secret> {
    if let Some(file) = path(node, in_file, folder) {
        return Some(Secret::File(file));
    }
    let name = spanned(node, in_env)?;
    if !is_variable(&name.value) {
        // Perhaps it is the secret itself, so it is not repeated in words.
        let message = format!("`{in_env}` is the name of an environment variable");
        let wrong = Diagnostic::error(codes::SHOWN_SECRET, message, name.span, "no such name");
        found.push(wrong.help("letters, digits and `_`, no digit first: `LIFEBOAT_HOOK`"));
    }
    Some(Secret::Env(name.value))
}

/// A name as POSIX shells take it.
fn is_variable(name: &str) -> bool {
    let letter = |one: char| one.is_ascii_alphanumeric() || one == '_';
    name.chars().all(letter) && name.starts_with(|first: char| !first.is_ascii_digit())
}

fn address(node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Address> {
    let Some(url) = spanned(node, "url") else {
        return secret(node, ["urlFile", "urlEnv"], folder, found).map(Address::Secret);
    };
    for wrong in open(&url).into_iter().chain(shown(&url)) {
        found.push(wrong);
    }
    Some(Address::Known(url.value))
}

fn open(url: &Spanned<String>) -> Option<Diagnostic> {
    if is_private(&url.value) {
        return None;
    }
    let message = "what is told would go over the network for everybody to read";
    let open = Diagnostic::error(
        codes::OPEN_ADDRESS,
        message,
        url.span,
        "neither https nor this machine",
    );
    Some(open.help("write `https://…`"))
}

fn shown(url: &Spanned<String>) -> Option<Diagnostic> {
    let (_, rest) = url.value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (what, help) = if authority.contains('@') {
        (
            "a login",
            "put the address into a file and name that with `urlFile`",
        )
    } else if authority.eq_ignore_ascii_case(SLACK) {
        (
            "Slack's secret",
            "put the address into a file and write `slack: { urlFile: … }`",
        )
    } else {
        return None;
    };
    let message = format!("an address that holds {what} does not stand in an inventory");
    let shown = Diagnostic::error(
        codes::SHOWN_SECRET,
        message,
        url.span,
        "everybody who reads this has it",
    );
    Some(shown.help(help))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_text, rendered};
    use crate::runbook::{Address, ReceiverEndpoint, Secret};

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
             b: { webhook: { urlFile: /run/b, keyEnv: B_KEY } }\n    \
             c: { slack: { urlFile: c.url } }\n    d: { slack: { urlEnv: D_URL } }\n    e: { embedded: {} }",
        ));
        let receivers = loaded.sites.unwrap().notify;
        let endpoint = |name: &str| receivers[name].endpoint.clone();
        assert_eq!(
            endpoint("b"),
            ReceiverEndpoint::Webhook {
                url: Address::Secret(Secret::File("/run/b".into())),
                key: Secret::Env("B_KEY".into()),
            }
        );
        let ReceiverEndpoint::Webhook {
            url,
            key: Secret::File(file),
        } = endpoint("a")
        else {
            panic!("a webhook")
        };
        assert_eq!(url, Address::Known("https://hooks.example/x".into()));
        assert!(file.ends_with("a.key"), "{file:?}");
        let url = Secret::Env("D_URL".into());
        assert_eq!(endpoint("d"), ReceiverEndpoint::Slack { url });
        assert_eq!(endpoint("e"), ReceiverEndpoint::Embedded);
    }

    #[test]
    fn what_cannot_be_reached_safely_is_refused_where_it_stands() {
        insta::assert_snapshot!(rendered(&inventory(
            "a: { webhook: { url: 'http://hooks.example/x', keyFile: a.key } }\n    \
             b: { webhook: { keyFile: b.key } }\n    c: { slack: { url: 'https://hooks.slack.com/x' } }\n    d: {}",
        )), @r"
        error[L054]: what is told would go over the network for everybody to read
         --> shop/runbook.yaml:7:26
          |
        7 |     a: { webhook: { url: 'http://hooks.example/x', keyFile: a.key } }
          |                          ^^^^^^^^^^^^^^^^^^^^^^^^ neither https nor this machine
          |
          = help: write `https://…`

        error[L034]: exactly one of url, urlFile, urlEnv has to be here
         --> shop/runbook.yaml:8:10
          |
        8 |     b: { webhook: { keyFile: b.key } }
          |          ^^^^^^^ not exactly one

        error[L034]: exactly one of urlFile, urlEnv has to be here
         --> shop/runbook.yaml:9:10
          |
        9 |     c: { slack: { url: 'https://hooks.slack.com/x' } }
          |          ^^^^^ not exactly one

        error[L009]: the key `url` means nothing here
         --> shop/runbook.yaml:9:19
          |
        9 |     c: { slack: { url: 'https://hooks.slack.com/x' } }
          |                   ^^^ unknown key
          |
          = help: known here: urlFile, urlEnv

        error[L034]: exactly one of webhook, slack, embedded has to be here
          --> shop/runbook.yaml:10:5
           |
        10 |     d: {}
           |     ^ not exactly one

        5 errors in 1 file.
        ");
    }

    #[test]
    fn a_secret_in_an_inventory_is_refused() {
        insta::assert_snapshot!(rendered(&inventory(
            "a: { webhook: { url: 'https://hooks.slack.com/services/T0/B0/x', keyFile: a.key } }\n    \
             b: { webhook: { url: 'https://me:word@hooks.example/x', keyEnv: whsec_abc= } }",
        )), @r"
        error[L055]: an address that holds Slack's secret does not stand in an inventory
         --> shop/runbook.yaml:7:26
          |
        7 |     a: { webhook: { url: 'https://hooks.slack.com/services/T0/B0/x', keyFile: a.key } }
          |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ everybody who reads this has it
          |
          = help: put the address into a file and write `slack: { urlFile: … }`

        error[L055]: an address that holds a login does not stand in an inventory
         --> shop/runbook.yaml:8:26
          |
        8 |     b: { webhook: { url: 'https://me:word@hooks.example/x', keyEnv: whsec_abc= } }
          |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ everybody who reads this has it
          |
          = help: put the address into a file and name that with `urlFile`

        error[L055]: `keyEnv` is the name of an environment variable
         --> shop/runbook.yaml:8:69
          |
        8 |     b: { webhook: { url: 'https://me:word@hooks.example/x', keyEnv: whsec_abc= } }
          |                                                                     ^^^^^^^^^^ no such name
          |
          = help: letters, digits and `_`, no digit first: `LIFEBOAT_HOOK`

        3 errors in 1 file.
        ");
    }
}
