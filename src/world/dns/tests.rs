//! A server on a bad day, and one that says no. What a good one does, the lab's real one shows.

use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError, make_tsig_record};
use hickory_proto::rr::{Record, TSigResponseContext, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// What the server does with a message that it has read.
#[derive(Clone, Copy, Debug)]
enum Act {
    HangUp,
    Silence,
    Garbage,
    /// An answer to another message.
    Other,
    /// This code, without a signature.
    Code(ResponseCode),
    /// This code, signed.
    Signed(ResponseCode),
    /// It does not take the signature.
    Signature(TsigError),
}

fn answer(act: Act, request: &Message) -> Option<Vec<u8>> {
    let mut answer = Message::response(request.id, request.op_code);
    answer.queries.clone_from(&request.queries);
    answer.metadata.authoritative = true;
    match act {
        Act::HangUp | Act::Silence => return None,
        Act::Garbage => return Some(vec![1, 2, 3]),
        Act::Other => answer.metadata.id = request.id.wrapping_add(1),
        Act::Code(code) => answer.metadata.response_code = code,
        Act::Signed(code) => {
            answer.metadata.response_code = code;
            let signature = sign(&answer, request);
            answer.set_signature(signature);
        }
        Act::Signature(error) => {
            answer.metadata.response_code = ResponseCode::NotAuth;
            let theirs = 1_000_000_000_u64.to_be_bytes()[2..].to_vec();
            let tsig = TSIG::new(
                TsigAlgorithm::HmacSha256,
                0,
                300,
                Vec::new(),
                request.id,
                Some(error),
                theirs,
            );
            let name = request.signature().unwrap().name.clone();
            answer.set_signature(Box::new(make_tsig_record(name, tsig)));
        }
    }
    Some(answer.to_vec().unwrap())
}

const SECRET: &[u8; 32] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
    29, 30, 31,
];

/// As a server that knows the key does, in the moment of the request.
fn sign(answer: &Message, request: &Message) -> Box<Record<TSIG>> {
    let theirs = request.signature().unwrap();
    let algorithm = TsigAlgorithm::HmacSha256;
    let signer = TSigner::new(SECRET.to_vec(), algorithm, theirs.name.clone(), 300).unwrap();
    let mac = theirs.data.mac.clone();
    let context = TSigResponseContext::new(request.id, theirs.data.time, signer, mac, None);
    context.sign(&answer.to_vec().unwrap()).unwrap()
}

/// A server, what it was asked, and a client of it. It ends with the test's runtime.
struct Bad {
    primary: Primary,
    asked: Arc<Mutex<Vec<OpCode>>>,
    _folder: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "a key is in a file")]
fn client(server: String) -> (Primary, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("corp.key");
    let key =
        "key lifeboat { algorithm hmac-sha256; secret \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"; };";
    std::fs::write(&key_file, key).unwrap();
    let at = Rfc2136 { server, key_file };
    let mut primary = Primary::new("corp", &at, &["acme.example".parse().unwrap()]);
    primary.limits = Limits {
        connect_ms: 2_000,
        answer_ms: 300,
    };
    (primary, folder)
}

async fn bad(act: Act) -> Bad {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (primary, folder) = client(listener.local_addr().unwrap().to_string());
    let asked: Arc<Mutex<Vec<OpCode>>> = Arc::default();
    let log = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut bytes = vec![0; usize::from(length)];
                    stream.read_exact(&mut bytes).await.unwrap();
                    let request = Message::from_vec(&bytes).unwrap();
                    log.lock().unwrap().push(request.op_code);
                    match answer(act, &request) {
                        Some(bytes) => {
                            let length = u16::try_from(bytes.len()).unwrap();
                            stream.write_u16(length).await.unwrap();
                            stream.write_all(&bytes).await.unwrap();
                        }
                        None if matches!(act, Act::Silence) => std::future::pending().await,
                        None => return,
                    }
                }
            });
        }
    });
    Bad {
        primary,
        asked,
        _folder: folder,
    }
}

fn name() -> DomainName {
    "shop.acme.example".parse().unwrap()
}

fn at(address: &str) -> Records {
    Records::addresses(&[address.parse().unwrap()], 60)
}

impl Bad {
    async fn look(&self) -> WorldError {
        self.primary.look(&name()).await.unwrap_err()
    }

    async fn check(&self) -> WorldError {
        let (from, to) = (at("192.0.2.10"), at("198.51.100.7"));
        self.primary.check(&name(), &from, &to).await.unwrap_err()
    }

    async fn swap(&self) -> WorldError {
        let (from, to) = (at("192.0.2.10"), at("198.51.100.7"));
        self.primary.swap(&name(), &from, &to).await.unwrap_err()
    }

    fn asked(&self) -> Vec<OpCode> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_cannot_be_believed_leaves_a_change_open() {
    for (act, looked, said) in [
        (Act::HangUp, ErrorKind::Unreachable, "no answer from 127.0.0.1:"),
        (Act::Silence, ErrorKind::Unreachable, ": nothing within 300ms"),
        (Act::Garbage, ErrorKind::Damaged, "that cannot be read"),
        (Act::Other, ErrorKind::Damaged, "it answers something else"),
        (
            Act::Code(ResponseCode::NoError),
            ErrorKind::WrongIdentity,
            "is not signed with the key lifeboat, so it is not believed",
        ),
    ] {
        let server = bad(act).await;
        for (what, kind, op) in [
            ("look", looked, OpCode::Query),
            ("check", looked, OpCode::Update),
            ("swap", ErrorKind::LostReply, OpCode::Update),
        ] {
            let error = match what {
                "look" => server.look().await,
                "check" => server.check().await,
                _ => server.swap().await,
            };
            assert_eq!(error.kind, kind, "{act:?}: {error}");
            assert!(error.message.contains(said), "{act:?}: {error}");
            assert_eq!(
                error.message.ends_with("; the change may have been made"),
                kind == ErrorKind::LostReply,
                "{error}"
            );
            assert_eq!(server.asked(), [op], "it is sent once");
        }
    }
}

/// Whoever stands between could have said it while the change was made.
#[tokio::test]
async fn an_unsigned_no_leaves_a_change_open_and_is_believed_of_a_question() {
    for act in [
        Act::Code(ResponseCode::Refused),
        Act::Code(ResponseCode::YXRRSet),
        Act::Code(ResponseCode::NotAuth),
        Act::Signature(TsigError::BadKey),
        Act::Signature(TsigError::BadSig),
    ] {
        let server = bad(act).await;
        let error = server.swap().await;
        assert_eq!(error.kind, ErrorKind::LostReply, "{act:?}: {error}");
        assert!(
            error.message.ends_with("; the change may have been made"),
            "{error}"
        );
        let error = server.check().await;
        assert_ne!(error.kind, ErrorKind::LostReply, "{act:?}: {error}");
        assert!(!error.message.contains("may have been made"), "{error}");
        assert_eq!(
            server.asked(),
            [OpCode::Update, OpCode::Update],
            "each is sent once"
        );
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (primary, _folder) = client(listener.local_addr().unwrap().to_string());
    drop(listener);
    let (from, to) = (at("192.0.2.10"), at("198.51.100.7"));
    let error = primary.swap(&name(), &from, &to).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(
        error.message.starts_with("cannot connect to 127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test]
async fn every_refusal_of_a_change_says_what_it_means_and_what_to_do() {
    let mut said = Vec::new();
    for code in [
        ResponseCode::YXRRSet,
        ResponseCode::NXRRSet,
        ResponseCode::YXDomain,
        ResponseCode::NXDomain,
        ResponseCode::NotAuth,
        ResponseCode::NotZone,
        ResponseCode::Refused,
        ResponseCode::NotImp,
        ResponseCode::ServFail,
        ResponseCode::FormErr,
    ] {
        let server = bad(Act::Signed(code)).await;
        let error = server.swap().await;
        let message = error.message.replace(&server.primary.server, "<server>");
        said.push(format!("{code:?} {:?}: {message}", error.kind));
        said.extend(error.hints.iter().map(|hint| format!("  hint: {hint}")));
    }
    insta::assert_snapshot!(said.join("\n"), @"
    YXRRSet Conflict: shop.acme.example is not as it was seen: it has more than was seen (YXRRSET)
    NXRRSet Conflict: shop.acme.example is not as it was seen: its records are others, or gone (NXRRSET)
    YXDomain Conflict: shop.acme.example is not as it was seen: it is there (YXDOMAIN)
    NXDomain Conflict: shop.acme.example is not as it was seen: it is not there (NXDOMAIN)
    NotAuth WrongTarget: <server> is not a server of the zone acme.example (NOTAUTH)
      hint: `dig +short acme.example SOA` names its primary server first
    NotZone Rejected: shop.acme.example is not in the zone acme.example (NOTZONE)
      hint: name the zone that holds it under `zones` of that server in the inventory
    Refused Forbidden: it does not let this key change shop.acme.example (REFUSED)
      hint: allow it there (BIND: allow-update or update-policy; Knot: acl with action: update), and see that it is the zone's primary: a secondary refuses too
    NotImp Rejected: it takes no dynamic updates (NOTIMP)
      hint: change the name by hand or by the provider's own means, with a `manual` or an `exec` step
    ServFail LostReply: it failed while it looked at shop.acme.example (SERVFAIL); the change may have been made
      hint: look into the server's log: a full disk or a frozen zone
    FormErr Rejected: it answers an update of shop.acme.example with Form Error
    ");
}

#[tokio::test]
async fn a_signature_that_is_not_taken_says_what_is_wrong_with_the_key() {
    let mut said = Vec::new();
    for trouble in [
        TsigError::BadKey,
        TsigError::BadSig,
        TsigError::BadTime,
        TsigError::BadTrunc,
    ] {
        let server = bad(Act::Signature(trouble)).await;
        for error in [server.look().await, server.check().await] {
            assert_eq!(error.kind, ErrorKind::Unauthenticated, "{trouble:?}: {error}");
            said.push(format!("{}; {}", error.message, error.hints.join("; ")));
        }
    }
    said.dedup();
    let text = said.join("\n");
    let skew = text
        .split(" seconds apart")
        .next()
        .and_then(|head| head.rsplit(' ').next());
    assert!(skew.unwrap().parse::<u64>().unwrap() > 700_000_000, "{text}");
    insta::assert_snapshot!(text.replace(skew.unwrap(), "<many>"), @"
    it does not know the key lifeboat with that algorithm (BADKEY); compare its name and algorithm in the key's file with the server's configuration
    it has another secret for the key lifeboat (BADSIG); copy the key's file from the server anew
    its clock and ours are <many> seconds apart (BADTIME); set both by NTP: signatures are good for five minutes
    it does not take the signature of the key lifeboat (BadTrunc); look into the server's log
    ");
}

#[tokio::test]
async fn without_a_key_nothing_is_sent() {
    let server = bad(Act::HangUp).await;
    let at = Rfc2136 {
        server: server.primary.server.clone(),
        key_file: "/nowhere/corp.key".into(),
    };
    let keyless = Primary::new("corp", &at, &server.primary.zones);
    let error = keyless.look(&name()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    insta::assert_snapshot!(error, @"corp: cannot read the key in /nowhere/corp.key: No such file or directory (os error 2)");
    assert_eq!(server.asked(), []);
    assert_eq!(
        keyless.look(&"shop.other.example".parse().unwrap()).await,
        Ok(None)
    );
}
