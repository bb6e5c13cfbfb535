//! Abbreviations behind which a sentence goes on, and what else has a full stop without being its end.

use crate::memory::script::{is_of_word, is_wide, is_without_spaces};

/// Whether a sentence goes on behind `said`, whatever follows: it ends with an initial, an ordinal number or an
/// abbreviation. What may be one or the end counts as one, since a sentence too many is quoted more easily than half of
/// one. A few abbreviations are words, too: those count where a number follows, of which `next` is the first character.
pub(super) fn goes_on_behind(said: &str, next: Option<char>) -> bool {
    let Some(before) = said.strip_suffix('.') else { return false };
    let word = before.rsplit(|character| !is_of_word(character)).next().unwrap_or_default();
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (None, _) => false,
        // In Korean and Chinese a word may be that short.
        (Some(only), None) => !is_wide(only) && !is_without_spaces(only),
        _ => is_ordinal(word) || is_abbreviation(&word.to_lowercase(), next.is_some_and(char::is_numeric)),
    }
}

/// Digits of the longest ordinal number that is not taken for a year.
const ORDINAL: usize = 3;

/// Whether a word is a number that may be an ordinal one, as German and others write it, or a Roman one.
fn is_ordinal(word: &str) -> bool {
    (word.chars().count() <= ORDINAL && word.chars().all(char::is_numeric))
        || word.chars().all(|letter| "IVXLC".contains(letter))
}

fn is_abbreviation(word: &str, before_number: bool) -> bool {
    let is_among = |lists: &[&[&str]]| lists.iter().any(|list| list.contains(&word));
    is_among(&ABBREVIATIONS) || (before_number && is_among(&BEFORE_NUMBERS))
}

/// Those that hardly ever are other words, in small letters, by languages.
const ABBREVIATIONS: [&[&str]; 8] = [
    // English, and those that many languages have
    &[
        "approx", "appt", "apt", "assn", "asst", "ave", "blvd", "bros", "capt", "cf", "cmdr", "col", "corp", "dept",
        "dr", "eg", "esp", "esq", "etc", "excl", "ft", "gen", "gov", "hon", "hrs", "ie", "inc", "incl", "jr", "lt",
        "ltd", "messrs", "misc", "mr", "mrs", "ms", "mt", "mts", "pres", "prof", "rev", "sgt", "sr", "st", "supt",
        "viz", "vs",
    ],
    // German
    &[
        "abb", "abs", "allg", "bspw", "bzgl", "bzw", "ca", "dgl", "dh", "dipl", "ehem", "einschl", "entspr", "etw",
        "evtl", "exkl", "frl", "geb", "gegr", "gest", "ggf", "ggfs", "hbf", "hr", "hrsg", "inkl", "jh", "jhd", "mio",
        "mrd", "mwst", "nr", "sog", "std", "str", "tsd", "urspr", "usf", "usw", "vgl", "vorm", "zb", "zzgl", "zzt",
    ],
    // Dutch and the languages of Scandinavia
    &["bijv", "blz", "dhr", "dvs", "eks", "enz", "mevr", "mfl", "mvh", "osv", "tlf"],
    // French
    &["apr", "bd", "boul", "env", "mgr", "mlle", "mm", "mme", "ste"],
    // Spanish and Portuguese
    &[
        "adm", "aprox", "avda", "cía", "dra", "ee", "ej", "excmo", "exma", "exmo", "gral", "ilmo", "lic", "núm", "obs",
        "pág", "págs", "profa", "sra", "sras", "sres", "srta", "ud", "uds", "uu",
    ],
    // Italian
    &["avv", "cfr", "dott", "ecc", "geom", "gent", "ing", "pag", "pagg", "prov", "rag", "sig", "sigg", "spett"],
    // Polish and Czech
    &[
        "apod", "atd", "godz", "inż", "itd", "itp", "mjr", "mudr", "např", "np", "popř", "resp", "tj", "tzn", "tzv",
        "tzw", "ul",
    ],
    // Russian
    &["гг", "долл", "др", "коп", "млн", "млрд", "напр", "пр", "проф", "руб", "стр", "тыс", "ул"],
];

/// Those that are words as well, or end a sentence as often as not.
const BEFORE_NUMBERS: [&[&str]; 3] = [
    // Places in books and lists
    &[
        "art", "arts", "bk", "cap", "ch", "chap", "ed", "eq", "ex", "fig", "figs", "kap", "kl", "no", "nos", "num",
        "p", "par", "para", "pp", "sec", "sect", "tab", "tel", "tél", "vol", "vols",
    ],
    // Amounts
    &["max", "mind", "min"],
    // Days and months
    &[
        "abr", "ago", "apr", "aug", "avr", "déc", "dec", "dez", "dic", "ene", "feb", "febr", "fev", "févr", "fri",
        "giu", "jan", "janv", "juil", "jul", "jun", "lug", "mar", "mon", "nov", "oct", "okt", "ott", "out", "sat",
        "sep", "sept", "set", "sun", "thu", "thur", "thurs", "tue", "tues", "wed",
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_goes_on_behind_an_abbreviation_an_initial_and_an_ordinal_number() {
        for said in [
            "approx.",
            "Met Dr.",
            "z. B.",
            "usw.",
            "am 3.",
            "J. R.",
            "the U.S.",
            "at 5 p.m.",
            "Ludwig XIV.",
            "EE. UU.",
            "p. ej.",
            "Sig.",
            "и др.",
            "1.",
        ] {
            assert!(goes_on_behind(said, Some('A')), "{said}");
        }
    }

    #[test]
    fn a_sentence_ends_behind_a_year_a_word_and_without_a_full_stop() {
        for said in ["It was 1903.", "He waits.", "Well...", "Dr", "usw!", "네.", "", ".", "(z. B.)"] {
            assert!(!goes_on_behind(said, Some('1')), "{said}");
        }
    }

    #[test]
    fn what_is_a_word_as_well_is_an_abbreviation_before_a_number() {
        for said in ["The answer is no.", "He likes art.", "in Sept.", "Met Max."] {
            assert!(
                goes_on_behind(said, Some('7')) && !goes_on_behind(said, Some('S')) && !goes_on_behind(said, None),
                "{said}"
            );
        }
    }
}
