//! Which requests are broken, and how: data, counted by requests.

use std::time::Duration;

/// One sort of trouble for requests of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakage {
    /// How they are broken.
    pub fault: Fault,
    /// Which requests are counted.
    pub pick: Pick,
    /// The first that is broken, counted from 1 among those.
    pub nth: u64,
    /// How many are broken from there on; `None`: all.
    pub times: Option<u64>,
}

/// Requests of one sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// By what they do.
    pub which: Which,
    /// Only of this method.
    pub method: Option<String>,
    /// Only where path and query hold this text.
    pub holds: Option<String>,
}

/// Requests by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Those that may change something: not `GET`, `HEAD` and `OPTIONS`.
    #[default]
    Changes,
    /// Those that only look.
    Looks,
    /// All.
    All,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out, and the connection closes without a reply.
    DropReply,
    /// The connection closes, and nothing is carried out.
    Refuse,
    /// It is carried out, and the reply is this status instead of the server's.
    ReplyWith(u16),
    /// It is not carried out, and the reply is this status.
    AnswerWith(u16),
    /// It is carried out, and the reply breaks off in the middle of its body.
    Truncate,
    /// It is carried out, and no reply comes for as long as the caller waits.
    Stall,
    /// The connection closes at once, and the request is delivered after this time.
    Hold(Duration),
}

impl Fault {
    /// One word, as on the command line and in the log.
    pub fn word(self) -> String {
        match self {
            Self::DropReply => "drop-reply".to_owned(),
            Self::Refuse => "refuse".to_owned(),
            Self::ReplyWith(status) => format!("reply-{status}"),
            Self::AnswerWith(status) => format!("answer-{status}"),
            Self::Truncate => "truncate".to_owned(),
            Self::Stall => "stall".to_owned(),
            Self::Hold(time) => format!("hold-{}s", time.as_secs()),
        }
    }
}

/// The other way round. The error is a lowercase fragment.
impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let status = |text: &str| match text.parse() {
            Ok(status @ 400..=599) => Ok(status),
            _ => Err(format!("`{text}` is not a status of 400 to 599")),
        };
        match word.split_once('-') {
            _ if word == "drop-reply" => Ok(Self::DropReply),
            _ if word == "refuse" => Ok(Self::Refuse),
            _ if word == "truncate" => Ok(Self::Truncate),
            _ if word == "stall" => Ok(Self::Stall),
            Some(("reply", text)) => status(text).map(Self::ReplyWith),
            Some(("answer", text)) => status(text).map(Self::AnswerWith),
            Some(("hold", text)) => match text.strip_suffix('s').and_then(|text| text.parse().ok()) {
                Some(seconds) => Ok(Self::Hold(Duration::from_secs(seconds))),
                None => Err(format!("`{text}` is not a time in whole seconds, such as 30s")),
            },
            _ => Err("there are: drop-reply, refuse, truncate, stall, reply-<status>, answer-<status>, hold-<seconds>s".to_owned()),
        }
    }
}

impl Pick {
    /// Whether a request is counted.
    pub fn fits(&self, method: &str, path: &str) -> bool {
        let looks = matches!(method, "GET" | "HEAD" | "OPTIONS");
        let which = match self.which {
            Which::Changes => !looks,
            Which::Looks => looks,
            Which::All => true,
        };
        which
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.holds.as_ref().is_none_or(|text| path.contains(text))
    }
}

impl Breakage {
    /// What happens to a counted request by its number.
    pub fn of(&self, number: u64) -> Option<Fault> {
        let last = self
            .times
            .map_or(u64::MAX, |times| self.nth.saturating_add(times).saturating_sub(1));
        (self.nth..=last).contains(&number).then_some(self.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        for word in [
            "drop-reply",
            "refuse",
            "truncate",
            "stall",
            "reply-504",
            "answer-429",
            "hold-90s",
        ] {
            assert_eq!(word.parse::<Fault>().unwrap().word(), word);
        }
        for (word, why) in [
            ("reply-200", "`200` is not a status of 400 to 599"),
            ("hold-90", "`90` is not a time in whole seconds, such as 30s"),
        ] {
            assert_eq!(word.parse::<Fault>().unwrap_err(), why);
        }
        assert!("drop".parse::<Fault>().unwrap_err().starts_with("there are: "));
    }

    #[test]
    fn as_many_are_broken_as_were_asked_for() {
        let breakage = |nth, times| Breakage {
            fault: Fault::Refuse,
            pick: Pick::default(),
            nth,
            times,
        };
        let broken = |one: &Breakage| {
            (1..=6)
                .filter(|number| one.of(*number).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(broken(&breakage(3, Some(2))), [3, 4]);
        assert_eq!(broken(&breakage(5, None)), [5, 6]);
        assert_eq!(broken(&breakage(2, Some(0))), [0; 0]);
    }

    #[test]
    fn looks_are_told_from_changes() {
        let pick = Pick {
            holds: Some("/apps/".into()),
            ..Pick::default()
        };
        assert!(pick.fits("PATCH", "/apis/apps/v1/x"));
        assert!(!pick.fits("GET", "/apis/apps/v1/x"));
        assert!(!pick.fits("PATCH", "/api/v1/x"));
        let pick = Pick {
            which: Which::All,
            method: Some("get".into()),
            holds: None,
        };
        assert!(pick.fits("GET", "/") && !pick.fits("PUT", "/"));
    }
}
