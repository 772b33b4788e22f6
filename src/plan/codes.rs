//! Codes of what stands against a plan (`P0..`) and of what a person should know of it (`P1..`). Never
//! used again for something else.

macro_rules! codes {
    ($($name:ident = $code:literal: $sentence:literal;)*) => {
        $(#[doc = $sentence] pub const $name: &str = $code;)*

        /// Code and sentence of all of them, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, $sentence)),*];
    };
}

codes! {
    NO_ROLE = "P004": "This mode needs a role that the runbook gives to no site.";
    SILENT = "P010": "A site or store that a step needs did not answer. That is not the same as being down.";
    CANNOT_SCRIPT = "P011": "What was seen does not allow this step.";
    CANNOT_RESTORE = "P012": "Some objects of the backup must not or cannot be restored there.";
    DAMAGED = "P013": "What a step needs answers, and is damaged. No step is left out for that.";
    NO_ROOM = "P014": "The target lacks something without which its API server refuses what is restored.";
    STRANGER = "P015": "A site or store is not the one whose identity is pinned. No step is left out for that.";
    TOO_SHORT = "P016": "A step waits for longer than the time that it is given, so it would surely be cut off.";
    NOTHING_TO_DRILL = "P020": "A drill restores on the standby; this runbook restores nothing there.";
    CHANGES_AS_IS = "P021": "`drill: as-is` is for steps that only look.";
    OUTSIDE = "P022": "A drill cannot keep this step inside its walls.";
    EGRESS_UNPROVED = "P101": "NetworkPolicy closes a drill's egress; whether the site's network enforces it is not proved.";
    UNVERIFIED = "P102": "The backup was never read back and compared with a manifest.";
    WRITER_ERRORS = "P103": "The writer of the backup reported errors.";
    NO_PROOF = "P104": "No step proves that the service is healthy, so RTO cannot be measured.";
    LEFT_OUT_SILENT = "P105": "A step is left out because its site did not answer.";
    PASSED_OVER = "P106": "A newer backup is there and cannot be taken, so an older one is.";
    LACKING = "P107": "The target lacks something that what is restored needs to work.";
    NOT_SHOWN = "P108": "A step prunes by a backup that is still to be made: what would go cannot be shown, so nothing does.";
    RESTORE_SAYS = "P109": "What a restore step asks for does not fit the backup, or only in part.";
    IDLE_ALLOWANCE = "P110": "A restore allows what nothing in the backup needs.";
    NOT_PINNED = "P111": "The identities of some sites or stores are not pinned, so whoever answers in their place is believed.";
    SLOW_CACHES = "P114": "Caches may keep the old answer of a domain name for longer than the recovery may take: some customers come later.";
}
