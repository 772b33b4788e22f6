//! Have controllers look at once at what was held.

use serde::{Deserialize, Serialize};

use super::hold::{inside, labels, outside};
use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::objects::wakeable;

/// Has controllers look now at the workloads of namespaces that were held and that lack pods. A controller whose
/// pods were refused asks again ever more seldom, in the end once in 17 minutes; a change of the workload itself has
/// it look at once. Only an annotation changes. A namespace that nothing held since this was done last stays as it
/// is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WakeControllers {
    /// The site.
    pub site: String,
    /// Which namespaces.
    pub namespaces: Vec<String>,
}

impl Meaning for WakeControllers {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let what = format!(
            "{}: controllers of workloads that lack pods",
            self.namespaces.join(", ")
        );
        Line::new(Symbol::Change, &self.site, "wake", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        let pods = inside(&self.site, &self.namespaces, "", "pods", &["list"]);
        let workloads = wakeable().into_iter().flat_map(|kind| {
            inside(
                &self.site,
                &self.namespaces,
                &kind.group,
                &kind.plural,
                &["list", "patch"],
            )
        });
        labels(&self.site).chain(pods).chain(workloads).collect()
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        outside(&self.site, sandbox)
    }
}
