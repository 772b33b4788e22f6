//! What a DNS server's answers mean, in words that say what to do.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigError;

use super::Primary;
use crate::effect::{ErrorKind, WorldError};
use crate::text::DomainName;

/// A request whose answer did not come or cannot be believed: what asked for a change may have been carried out.
fn open(to: &Primary, message: String, changes: bool, harmless: ErrorKind) -> WorldError {
    if changes {
        let message = format!("{message}; the change may have been made");
        return to.error(ErrorKind::LostReply, message);
    }
    to.error(harmless, message)
}

pub(super) fn lost(to: &Primary, why: &str, changes: bool) -> WorldError {
    let message = format!("no answer from {}: {why}", to.server);
    open(to, message, changes, ErrorKind::Unreachable)
}

pub(super) fn unreadable(to: &Primary, why: &str, changes: bool) -> WorldError {
    let message = format!("an answer from {} that cannot be read: {why}", to.server);
    open(to, message, changes, ErrorKind::Damaged)
}

pub(super) fn unsigned(to: &Primary, signer: &TSigner, changes: bool) -> WorldError {
    let message = format!(
        "the answer from {} is not signed with the key {}, so it is not believed",
        to.server,
        key_name(signer)
    );
    open(to, message, changes, ErrorKind::WrongIdentity)
        .hint("name the primary server itself in the inventory, and let it know the key")
}

fn key_name(signer: &TSigner) -> String {
    let name = signer.signer_name().to_ascii();
    name.trim_end_matches('.').to_owned()
}

/// The server does not take our signature (RFC 8945, 5.2). It would then have done nothing, but such an answer bears no
/// signature by which anybody could know that it is the server's.
pub(super) fn bad_signature(
    to: &Primary,
    signer: &TSigner,
    trouble: TsigError,
    (answer, now): (&Message, u64),
    changes: bool,
) -> WorldError {
    let key = key_name(signer);
    let (message, hint) = match trouble {
        TsigError::BadKey => (
            format!("it does not know the key {key} with that algorithm (BADKEY)"),
            "compare its name and algorithm in the key's file with the server's configuration",
        ),
        TsigError::BadSig => (
            format!("it has another secret for the key {key} (BADSIG)"),
            "copy the key's file from the server anew",
        ),
        TsigError::BadTime => (
            format!("its clock and ours are {} apart (BADTIME)", apart(answer, now)),
            "set both by NTP: signatures are good for five minutes",
        ),
        TsigError::BadTrunc | TsigError::Unknown(_) => (
            format!("it does not take the signature of the key {key} ({trouble:?})"),
            "look into the server's log",
        ),
    };
    open(to, message, changes, ErrorKind::Unauthenticated).hint(hint)
}

/// The server's time is in its own part of the signature: six bytes of seconds.
fn apart(answer: &Message, now: u64) -> String {
    let other = answer
        .signature()
        .map(|signature| signature.data.other.as_slice());
    let theirs = other.filter(|other| other.len() == 6);
    let theirs = theirs.map(|other| other.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)));
    theirs.map_or_else(
        || "too far".to_owned(),
        |theirs| format!("{} seconds", theirs.abs_diff(now)),
    )
}

/// It answers and does not have the say.
pub(super) fn not_primary(to: &Primary, zone: &DomainName) -> WorldError {
    let message = format!("{} has no say in the zone {zone}", to.server);
    to.error(ErrorKind::WrongTarget, message)
        .hint(format!("`dig +short {zone} SOA` names its primary server first"))
}

pub(super) fn handed_on(to: &Primary, name: &DomainName) -> WorldError {
    let message = format!("{} hands {name} on to other servers", to.server);
    to.error(ErrorKind::WrongTarget, message)
        .hint("name those servers and the inner zone in the inventory")
}

/// A question that got a refusal.
pub(super) fn no_answer(to: &Primary, name: &DomainName, code: ResponseCode) -> WorldError {
    match code {
        ResponseCode::Refused => to
            .error(
                ErrorKind::Forbidden,
                format!("it refuses to answer for {name} (REFUSED)"),
            )
            .hint("it is not a server of that zone, or does not let this machine or key ask"),
        ResponseCode::ServFail => to
            .error(
                ErrorKind::Busy,
                format!("it cannot answer for {name} now (SERVFAIL)"),
            )
            .hint("look into the server's log: the zone may not be loaded"),
        ResponseCode::NotAuth => not_primary(to, name),
        code => to.error(ErrorKind::Rejected, format!("it answers {name} with {code}")),
    }
}

/// An update that got a refusal (RFC 2136, 2.2): nothing of it was done.
pub(super) fn refused(
    to: &Primary,
    (zone, name): (&DomainName, &DomainName),
    code: ResponseCode,
    changes: bool,
) -> WorldError {
    let conflict = |what: &str, code: &str| {
        let message = format!("{name} is not as it was seen: {what} ({code})");
        to.error(ErrorKind::Conflict, message)
    };
    match code {
        ResponseCode::YXRRSet => conflict("it has more than was seen", "YXRRSET"),
        ResponseCode::NXRRSet => conflict("its records are others, or gone", "NXRRSET"),
        ResponseCode::YXDomain => conflict("it is there", "YXDOMAIN"),
        ResponseCode::NXDomain => conflict("it is not there", "NXDOMAIN"),
        ResponseCode::NotAuth => to
            .error(
                ErrorKind::WrongTarget,
                format!("{} is not a server of the zone {zone} (NOTAUTH)", to.server),
            )
            .hint(format!("`dig +short {zone} SOA` names its primary server first")),
        ResponseCode::NotZone => to
            .error(ErrorKind::Rejected, format!("{name} is not in the zone {zone} (NOTZONE)"))
            .hint("name the zone that holds it under `zones` of that server in the inventory"),
        ResponseCode::Refused => to
            .error(
                ErrorKind::Forbidden,
                format!("it does not let this key change {name} (REFUSED)"),
            )
            .hint(
                "allow it there (BIND: allow-update or update-policy; Knot: acl with action: update), and see that it is the zone's primary: a secondary refuses too",
            ),
        ResponseCode::NotImp => to
            .error(ErrorKind::Rejected, "it takes no dynamic updates (NOTIMP)")
            .hint("change the name by hand or by the provider's own means, with a `manual` or an `exec` step"),
        // It began and could not end: by the standard it has taken everything back, and a look will show.
        ResponseCode::ServFail => open(
            to,
            format!("it failed while it looked at {name} (SERVFAIL)"),
            changes,
            ErrorKind::Busy,
        )
        .hint("look into the server's log: a full disk or a frozen zone"),
        code => to.error(ErrorKind::Rejected, format!("it answers an update of {name} with {code}")),
    }
}
