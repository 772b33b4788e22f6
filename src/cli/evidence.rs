//! `lifeboat evidence …`: bundles that an auditor can check offline, years later.

use std::path::{Path, PathBuf};

use super::{CommandError, Exit, Settings, context, launch, output, runs};
use crate::report::{self, Exhibit, Files, Signed, Signing, Trusted};

/// Make and check bundles of evidence.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Bundle runs for an auditor: journals, frozen plans and reports under a signed manifest
    ///
    /// The key is a file of yours and never leaves this machine; lifeboat makes none and keeps none:
    ///   openssl genpkey -algorithm ed25519 -out evidence.pem
    ///   openssl pkey -in evidence.pem -pubout -out evidence.pub.pem
    /// Give the public one to whoever checks, by another way than the bundle.
    #[command(verbatim_doc_comment)]
    Export(ExportArguments),
    /// Check a bundle, offline: name every record and file that was changed, removed, moved or added
    ///
    /// Exit code 0 only if nothing differs and the manifest is signed by the key that you give. Without --key
    /// it compares, and ends with 7: then nobody has said whose signature it is. Anything that differs: 3.
    Verify(VerifyArguments),
}

/// Which runs, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArguments {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// A new folder for the bundle
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The Ed25519 secret key, a PEM file
    #[arg(long, value_name = "FILE", env = "LIFEBOAT_EVIDENCE_KEY")]
    key: Option<PathBuf>,
    /// Make it without a signature: it can be compared, and proves nothing
    #[arg(long, conflicts_with = "key")]
    unsigned: bool,
}

/// Which bundle, and whom to trust.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    /// The bundle's folder
    #[arg(value_name = "FOLDER")]
    bundle: PathBuf,
    /// The Ed25519 public key that you were given, a PEM file
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, CommandError> {
        match self {
            Self::Export(arguments) => export(&arguments, settings),
            Self::Verify(arguments) => verify(&arguments),
        }
    }
}

fn export(arguments: &ExportArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let signing = match &arguments.key {
        Some(file) => Some(Signing::of_pem(&context::read(file)?).map_err(|why| bad_key(file, &why))?),
        None if arguments.unsigned => None,
        None => {
            return Err(CommandError::input("no key is given to sign the bundle with")
                .hint("make one: openssl genpkey -algorithm ed25519 -out evidence.pem; then give --key evidence.pem")
                .hint("or say --unsigned"));
        }
    };
    let exhibits = arguments.runs.iter().map(|run| exhibit(run, settings));
    let exhibits: Vec<Exhibit> = exhibits.collect::<Result<_, _>>()?;
    let files = report::bundle(&exhibits, signing.as_ref(), super::now())
        .map_err(|error| CommandError::new(Exit::Broken, error.to_string()))?;
    write(&arguments.out, &files)?;
    let who = if signing.is_some() { "signed" } else { "NOT signed" };
    output::line(&format!(
        "{}: {} files, {who}.",
        arguments.out.display(),
        files.len()
    ));
    Ok(Exit::Done)
}

fn bad_key(file: &Path, why: &str) -> CommandError {
    CommandError::input(format!("{}: {why}", file.display()))
}

/// A run as it is: the journal's own bytes, and readings of it that are made now.
#[expect(clippy::disallowed_methods, reason = "evidence is the journal's own bytes")]
fn exhibit(run: &str, settings: &Settings) -> Result<Exhibit, CommandError> {
    let (folder, name) = runs::find(run, settings)?;
    let broken = |why: String| CommandError::new(Exit::Broken, format!("{name}: {why}"));
    let path = folder.join("journal.jsonl");
    let mut journal = std::fs::read(&path).map_err(|error| broken(error.to_string()))?;
    // Read for its chain, too: a damaged journal is no evidence.
    let history = runs::history(&folder)?;
    if let Some(torn) = &history.torn {
        journal.truncate(usize::try_from(torn.offset).unwrap_or(journal.len()));
    }
    let summary = launch::summary(&history)?;
    let plan = launch::plan_of(&history).ok_or_else(|| broken("it begins with no plan".to_owned()))?;
    let json = |value: Result<Vec<u8>, serde_json::Error>| value.map_err(|error| broken(error.to_string()));
    let notes = launch::notes(&folder);
    let notes = notes.as_deref();
    let papers = Files::from([
        ("plan.json".to_owned(), json(serde_json::to_vec_pretty(plan))?),
        (
            "report.json".to_owned(),
            json(serde_json::to_vec_pretty(&summary))?,
        ),
        (
            "report.html".to_owned(),
            report::html(&summary, notes, &settings.zone()).into_bytes(),
        ),
        (
            "report.md".to_owned(),
            report::markdown(&summary, notes, &settings.zone()).into_bytes(),
        ),
    ]);
    Ok(Exhibit {
        run: summary.run.0,
        journal,
        papers,
    })
}

/// Into a folder of its own: what else lay in it would look like evidence.
#[expect(clippy::disallowed_methods, reason = "a bundle is files")]
fn write(folder: &Path, files: &Files) -> Result<(), CommandError> {
    let broken = |path: &Path, error: &std::io::Error| {
        CommandError::new(Exit::Broken, format!("cannot write {}: {error}", path.display()))
    };
    if folder.exists() {
        return Err(
            CommandError::refused(format!("{} is there already", folder.display()))
                .detail("Nothing was written.")
                .hint("a bundle gets a folder of its own: give another --out"),
        );
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| broken(parent, &error))?;
        std::fs::write(&path, bytes).map_err(|error| broken(&path, &error))?;
    }
    Ok(())
}

fn verify(arguments: &VerifyArguments) -> Result<Exit, CommandError> {
    let trusted = match &arguments.key {
        Some(file) => Some(Trusted::of_pem(&context::read(file)?).map_err(|why| bad_key(file, &why))?),
        None => None,
    };
    let mut files = Files::new();
    gather(&arguments.bundle, "", &mut files)?;
    let examined = report::examine(&files, trusted.as_ref());
    if arguments.json {
        output::json(&examined)?;
    } else {
        for finding in &examined.findings {
            output::line(finding);
        }
        output::line(&verdict(&examined));
    }
    Ok(if !examined.findings.is_empty() {
        Exit::Failed
    } else if examined.is_proved() {
        Exit::Done
    } else {
        Exit::Missed
    })
}

fn verdict(examined: &report::Examined) -> String {
    let compared = format!(
        "{} files and {} records were compared",
        examined.files, examined.records
    );
    let signed = match &examined.signed {
        Signed::Trusted { fingerprint } => format!("signed by the key that was given, {fingerprint}"),
        Signed::Unknown { fingerprint } => {
            format!(
                "signed by a key that nobody vouches for, {fingerprint}: give the one that you know with --key"
            )
        }
        Signed::Nobody => "nobody vouches for them".to_owned(),
    };
    match examined.findings.len() {
        0 => format!("Whole: {compared}; {signed}."),
        1 => format!("NOT as it was made: 1 difference; {compared}; {signed}."),
        n => format!("NOT as it was made: {n} differences; {compared}; {signed}."),
    }
}

/// Every file below a folder. A link is taken for what it is not: a file of the bundle.
#[expect(clippy::disallowed_methods, reason = "a bundle is files")]
fn gather(folder: &Path, prefix: &str, files: &mut Files) -> Result<(), CommandError> {
    let broken = |path: &Path, error: &std::io::Error| {
        CommandError::input(format!("{} cannot be read: {error}", path.display()))
    };
    let entries = std::fs::read_dir(folder).map_err(|error| broken(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| broken(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            gather(&path, &format!("{name}/"), files)?;
        } else {
            let bytes = std::fs::read(&path).map_err(|error| broken(&path, &error))?;
            files.insert(name, bytes);
        }
    }
    Ok(())
}
