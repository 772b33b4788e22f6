//! Every diagnostic's code with the sentence that `lifeboat explain <code>` prints.
//!
//! A code is never used again for something else. `L0..` are errors, `L1..` are warnings.

macro_rules! codes {
    ($($name:ident = $code:literal: $sentence:literal;)*) => {
        $(#[doc = $sentence] pub const $name: &str = $code;)*

        /// Code and sentence of all of them, in the order of the codes.
        pub const ALL: &[(&str, &str)] = &[$(($code, $sentence)),*];
    };
}

codes! {
    SYNTAX = "L001": "The file is not YAML; the parser says where it lost the thread. Nothing after that place was read.";
    TOO_LARGE = "L002": "The file is larger than 1 MiB or holds more than 200,000 values. No runbook is; a file that is was not written by a person.";
    TOO_DEEP = "L003": "Lists and maps stand more than 64 deep in each other.";
    NOT_PLAIN_YAML = "L004": "Anchors, aliases, merge keys and tags are not read: what a step does has to stand where the step stands.";
    DUPLICATE_KEY = "L005": "A map has the same key twice. Only one of the values could win, and nobody can see which.";
    BAD_KEY = "L006": "A key of a map has to be plain text on one line, without `${…}`.";
    BAD_TEMPLATE = "L007": "A `${…}` is not finished or does not hold a dotted path such as `inputs.replicas`. A literal `${` is written `$${`.";
    UNKNOWN_REFERENCE = "L008": "A `${…}` refers to something that does not exist.";
    UNKNOWN_KEY = "L009": "The key means nothing here. Keys are never ignored, because a mistyped one would silently do nothing.";
    MISSING_KEY = "L010": "A key that must be there is missing.";
    WRONG_TYPE = "L011": "The value is of another type than this place takes, such as text where a whole number is meant.";
    UNKNOWN_NEED = "L012": "A step needs a step that does not exist.";
    NOT_A_CHOICE = "L013": "Only some words are allowed here, and this is none of them.";
    OUT_OF_RANGE = "L014": "The number is too small or too large, or the text or list too short or too long.";
    BAD_DURATION = "L015": "A duration is written like 30s, 15m, 1h30m or 250ms. A bare number has no unit; a day is not always 24 hours.";
    BAD_NAME = "L016": "Names are DNS labels: a-z, 0-9 and -, beginning and ending with a letter or digit, at most 63 characters (a runbook: 40), because they become names of objects.";
    DUPLICATE_STEP = "L017": "Two steps have the same name.";
    SELF_NEED = "L018": "A step needs itself, so it can never start.";
    DUPLICATE_NEED = "L019": "A step names the same need twice.";
    NO_KIND = "L020": "A step has no key that says what it does, such as `backup` or `wait`, or it has several: one step does one thing.";
    CYCLE = "L021": "Steps wait for each other in a circle, so none of them can start.";
    UNKNOWN_KIND = "L022": "No kind of step has this name.";
    UNKNOWN_DOCUMENT = "L023": "A document is neither a `Runbook` nor a `Sites` nor a `Pins` of `lifeboat.dev/v1alpha1`.";
    DOCUMENT_COUNT = "L024": "Exactly one runbook and at most one inventory of sites are read at a time.";
    UNKNOWN_ROLE = "L025": "A step names a role that the runbook does not give to any site.";
    SITE_NOT_ROLE = "L026": "A step names a site where a role is meant. Steps name roles, so that failback can swap them.";
    UNKNOWN_SITE = "L027": "A role is given to a site that the inventory does not have.";
    UNKNOWN_STORE = "L028": "A step or a mirror of the journal names a store that the inventory does not have.";
    LATE_VALUE = "L029": "The value is known only while running, but this place has to be known when planning: the plan is the contract.";
    OUTPUT_NOT_BEFORE = "L030": "An output of a step is used by a step that does not need it, directly or through others, so it may not be there yet.";
    UNKNOWN_OUTPUT = "L031": "The step has no output of this name.";
    BAD_INPUT = "L032": "An input has no value, or one that its declaration does not allow.";
    TOO_MANY_STEPS = "L033": "A runbook has at most 10,000 steps.";
    ONE_OF = "L034": "Exactly one of several keys has to be there.";
    REFUSED_VALUE = "L035": "The step kind does not take this value.";
    BAD_RECIPIENT = "L036": "A recipient is a public key of age. It begins with age1.";
    BAD_MIRROR = "L037": "A store cannot mirror journals: it is named twice, or this machine cannot read back what it writes there.";
    NEEDS_FINALLY = "L038": "A step needs one that runs at the end of the run (`finally`), when nothing else begins any more.";
    IDLE_PIN = "L039": "A pin names a site or a store that the inventory does not have, so it protects nothing.";
    BAD_CRON = "L040": "A line of the schedule has no five fields of cron that can be read, or they name a day that never comes.";
    UNKNOWN_ZONE = "L041": "A time zone is named as the IANA names it, such as Europe/Berlin.";
    DUPLICATE_SCHEDULE = "L042": "Two lines of the schedule have the same name. Every due time is accounted for under its line's name.";
    IDLE_SCHEDULE = "L043": "The schedule begins a mode in which no step takes part: it would succeed each time and do nothing.";
    SCHEDULE_INPUT = "L044": "A run of a schedule is given no inputs, so each needs a default.";
    BAD_WINDOW = "L045": "A blocked window needs days or times that can be read, and an end that is not before its beginning.";
    BAD_DOMAIN = "L048": "A domain name is written like shop.acme.example: labels of a-z, 0-9, - and _ with dots between them; letters outside of ASCII as DNS has them, xn--….";
    UNKNOWN_DNS = "L049": "A step names a DNS server that the inventory does not have.";
    NOT_FENCED = "L050": "A step restores for production on the standby, or sends customers there, and in that recovery nothing before it stops the active side and holds it stopped, and nobody accepts that both sides may write. What two sides write cannot be put together again.";
    OUTSIDE_ZONE = "L051": "A step changes a domain name that is in none of the zones which the inventory names for that DNS server. Only those may be changed there.";
    BAD_ADDRESS = "L052": "An address is an IPv4 or an IPv6 one, and a server is one of those or a host name, with a port after `:` where it is not the usual one.";
    UNKNOWN_RECEIVER = "L053": "A step tells a receiver that the inventory does not have.";
    OPEN_ADDRESS = "L054": "The address of a receiver is https, or of this machine. Otherwise everybody on the way could read along.";
    SHOWN_SECRET = "L055": "An address that holds a secret does not stand in an inventory, but in a file or an environment variable that the inventory names.";
    NO_OWNER = "L101": "The runbook has no owner: nobody knows whom to call.";
    NO_RTO = "L102": "The runbook has no recovery time objective: no run can meet or miss it.";
    NO_RPO = "L103": "The runbook has no recovery point objective: nobody has said how much data may be lost.";
    UNPROVEN_RESTORE = "L104": "No step that looks whether the service answers comes after a restore. Files that are back are not yet a service that works.";
    UNKNOWN_PERSON = "L105": "An approval is asked of a role that no person has in `people`.";
    ONE_RECIPIENT = "L106": "A store is sealed for one recipient only. Whoever loses that key loses every backup in it.";
    MAJORITY_OF_TWO = "L107": "More than half of two mirrors is both: while one of them does not answer, nothing is begun.";
    MIRRORS_WITH_SITE = "L108": "Every mirror of the journal lies inside the failure domain of one site: the disaster that takes the site takes the way to go on.";
    RARE_DRILL = "L109": "Drills come further apart than a proof is good for: between them the service is not ready, however well they go.";
    ALWAYS_BLOCKED = "L110": "Every due time of the schedule lies in a blocked window: nothing is ever begun.";
    STILL_HELD = "L111": "A failover fences the active side, and a failback leads back there: as long as nothing lets it go, its API server refuses every pod of what is restored.";
    SAME_WAY_BACK = "L114": "A failback would lead a domain name to where a failover has led it: its addresses are written out, so they do not change sides with the roles.";
    DNS_WITH_SITE = "L115": "A domain name that is to lead customers away from the active side is changed at a DNS server in that side's failure domain: the disaster that takes the side takes the way to leave it.";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn every_code_is_explained_in_a_sentence() {
        for (code, sentence) in ALL {
            assert!(code.len() == 4 && code.starts_with('L'), "{code}");
            assert!(sentence.ends_with('.') && sentence.len() > 20, "{code}");
        }
    }
}
