//! One connection to a DNS server: signed questions, and what became of each.

use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{RecordType, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Primary, key, message, words};
use crate::effect::{ErrorKind, WorldError};
use crate::text::{DomainName, Millis};

/// A connection, and the key that signs what goes over it.
pub(super) struct Line<'a> {
    to: &'a Primary,
    signer: TSigner,
    stream: TcpStream,
}

impl<'a> Line<'a> {
    /// Reads the key and connects.
    pub(super) async fn open(to: &'a Primary) -> Result<Self, WorldError> {
        let signer = key::read(&to.key_file).await.map_err(|why| {
            let error = to.error(ErrorKind::Unauthenticated, why);
            error.hint("`tsig-keygen` makes such a file; it has to be on the machine that carries the run")
        })?;
        let limit = Duration::from_millis(to.limits.connect_ms);
        let cannot = |why: String| {
            let message = format!("cannot connect to {} (TCP): {why}", to.server);
            to.error(ErrorKind::Unreachable, message)
        };
        let stream = timeout(limit, TcpStream::connect(&to.server))
            .await
            .map_err(|_| cannot(format!("no answer within {}", Millis(to.limits.connect_ms))))?
            .map_err(|error| cannot(error.to_string()))?;
        Ok(Self { to, signer, stream })
    }

    /// Asks for records, of which this server has the say.
    pub(super) async fn look(&mut self, name: &DomainName, kind: RecordType) -> Result<Message, WorldError> {
        let question = message::question(name, kind);
        let question = question.map_err(|why| self.to.error(ErrorKind::Internal, why))?;
        let answer = self.ask(question, false).await?;
        match answer.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if answer.authoritative => Ok(answer),
            ResponseCode::NoError | ResponseCode::NXDomain => Err(words::handed_on(self.to, name)),
            code => Err(words::no_answer(self.to, name, code)),
        }
    }

    /// Sends an update; `changes`: it is more than a question.
    pub(super) async fn update(
        &mut self,
        zone: &DomainName,
        name: &DomainName,
        request: Message,
        changes: bool,
    ) -> Result<(), WorldError> {
        let answer = self.ask(request, changes).await?;
        match answer.response_code {
            ResponseCode::NoError => Ok(()),
            code => Err(words::refused(self.to, (zone, name), code, changes)),
        }
    }

    /// Sends one message and reads its answer. Without its signature only the refusal of what changes nothing is believed.
    async fn ask(&mut self, mut message: Message, changes: bool) -> Result<Message, WorldError> {
        let now = now();
        let signed = self.signer.sign_message(&message, now);
        let (signature, _) = signed.map_err(|error| self.to.error(ErrorKind::Internal, error.to_string()))?;
        let mac = signature.data.mac.clone();
        message.set_signature(signature);
        let bytes = message.to_vec().map_err(|error| {
            self.to.error(
                ErrorKind::Rejected,
                format!("it cannot be said in one message: {error}"),
            )
        })?;
        let limit = Duration::from_millis(self.to.limits.answer_ms);
        let bytes = match timeout(limit, self.exchange(&bytes)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(words::lost(self.to, &error.to_string(), changes)),
            Err(_) => {
                let why = format!("nothing within {}", Millis(self.to.limits.answer_ms));
                return Err(words::lost(self.to, &why, changes));
            }
        };
        let answer = Message::from_vec(&bytes)
            .map_err(|error| words::unreadable(self.to, &error.to_string(), changes))?;
        if answer.id != message.id || answer.message_type != MessageType::Response {
            return Err(words::unreadable(self.to, "it answers something else", changes));
        }
        if let Some(trouble) = answer.signature().and_then(|signature| signature.data.error) {
            let seen = (&answer, now);
            return Err(words::bad_signature(
                self.to,
                &self.signer,
                trouble,
                seen,
                changes,
            ));
        }
        let verified = self.signer.verify_message_byte(&bytes, Some(&mac), true);
        let proved = verified.is_ok_and(|(_, _, good)| good.contains(&now));
        // That a name is not there is an answer to a question, and to an update a refusal.
        let claims = match answer.response_code {
            ResponseCode::NoError => true,
            ResponseCode::NXDomain => message.op_code == OpCode::Query,
            _ => false,
        };
        if (claims || changes) && !proved {
            return Err(words::unsigned(self.to, &self.signer, changes));
        }
        Ok(answer)
    }

    /// Two bytes say how long a message is (RFC 1035, 4.2.2).
    async fn exchange(&mut self, message: &[u8]) -> std::io::Result<Vec<u8>> {
        let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(message);
        self.stream.write_all(&framed).await?;
        let length = self.stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

/// Seconds since 1970: signatures are good for a time only.
#[expect(
    clippy::disallowed_methods,
    reason = "an adapter signs with the machine's own time"
)]
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}
