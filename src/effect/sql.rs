//! Look at a value in a database.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, RunCommand, Sandbox, Symbol};
use crate::objects::ObjectId;
use crate::text::{Millis, Text};

/// Asks a database one question, by `psql` in a container of a running pod, in a transaction that may only read and
/// for a limited time. One row of one column is expected; anything but the expected value is a failure. As long as
/// the database lets nobody in, it is asked again, until the step's time is over.
///
/// Output: `value`.
///
/// ## Why `psql` in a pod, and not a client in this process
///
/// - A database in a cluster answers inside of it. In a drill it stands in namespaces that are closed to the outside,
///   which is the point of them; a client here could look at everything but the database that was just recovered.
/// - Credentials stay where they are: in the container's own environment, or needless on its socket. Neither the
///   machine that carries the run nor a plan, a journal or an error ever has one.
/// - The cost is that `psql` has to be in an image that runs there. It is in PostgreSQL's own, and in those of its
///   operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckSql {
    /// The site.
    pub site: String,
    /// A pod, or a workload: then its first pod, by name, that is ready.
    pub of: ObjectId,
    /// Which container; none: the pod's first, or the one that its annotation names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// `psql`, or where it is.
    pub program: String,
    /// Parameters of the connection as libpq has them, `host=db dbname=shop`; empty: as the container's environment
    /// says. Never a password.
    #[serde(default)]
    pub connect: String,
    /// One statement that gives rows.
    pub query: String,
    /// What it has to give.
    pub expect: SqlExpect,
    /// For so long the database may work on it, in milliseconds.
    pub answer_within_ms: u64,
}

/// What a value has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SqlExpect {
    /// This text, or a number that is written so.
    Equals(Text),
    /// A number in this range, both ends included.
    Within {
        /// Not less.
        at_least: Option<i64>,
        /// Not more.
        at_most: Option<i64>,
    },
    /// A moment with its time zone, at most so many milliseconds ago by the database's own clock.
    NotOlderThan(u64),
}

impl SqlExpect {
    /// `= 42`, `at least 1`, `not older than 15m`.
    pub fn words(&self) -> String {
        match self {
            Self::Equals(text) => format!("= {text}"),
            Self::Within { at_least, at_most } => {
                let least = at_least.map(|least| format!("at least {least}"));
                let most = at_most.map(|most| format!("at most {most}"));
                let both: Vec<String> = least.into_iter().chain(most).collect();
                both.join(" and ")
            }
            Self::NotOlderThan(ms) => format!("not older than {}", Millis(*ms)),
        }
    }
}

impl CheckSql {
    /// The program and its arguments. Each statement is one by itself in a transaction that ends with nothing.
    pub fn argv(&self) -> Vec<String> {
        let connect = format!("application_name=lifeboat connect_timeout=10 {}", self.connect);
        let mut argv: Vec<String> = [
            self.program.as_str(),
            // No file of settings, no question for a password, one value a line and nothing else.
            "-X",
            "-w",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            connect.trim_end(),
        ]
        .map(str::to_owned)
        .into();
        let limit = format!("SET LOCAL statement_timeout = {}", self.answer_within_ms);
        // The line break ends a comment at the end of the query.
        let question = format!(
            "SELECT json_build_object('row', row_to_json(answer), 'now', clock_timestamp())::text FROM (\n{}\n) AS answer LIMIT 2",
            self.query
        );
        for statement in ["BEGIN TRANSACTION READ ONLY", &limit, &question, "ROLLBACK"] {
            argv.extend(["-c".to_owned(), statement.to_owned()]);
        }
        argv
    }

    fn as_command(&self) -> RunCommand {
        RunCommand {
            site: self.site.clone(),
            of: self.of.clone(),
            container: self.container.clone(),
            command: Vec::new(),
            repeatable: true,
        }
    }
}

impl Meaning for CheckSql {
    fn class(&self) -> Class {
        Class::Read
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let query = self.query.split_whitespace().collect::<Vec<_>>().join(" ");
        let what = format!("in {}: {query} {}", self.of, self.expect.words());
        Line::new(Symbol::Observe, &self.site, "sql", what)
    }

    /// To look into a container is to run something in it.
    fn permissions(&self) -> Vec<Permission> {
        self.as_command().permissions()
    }

    fn late(&mut self) -> Vec<&mut Text> {
        match &mut self.expect {
            SqlExpect::Equals(text) => vec![text],
            SqlExpect::Within { .. } | SqlExpect::NotOlderThan(_) => Vec::new(),
        }
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        match &mut self.of.namespace {
            Some(namespace) => sandbox.enter(&self.site, namespace),
            None => Confinement::Untouched,
        }
    }
}
