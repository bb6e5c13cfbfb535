//! The end of a reply that cannot be handed out yet.

/// Text that was generated but not yet handed out: an unfinished character or the possible
/// beginning of a stop text.
pub(super) struct Tail {
    held: Vec<u8>,
    stops: Vec<String>,
    started: bool,
}

impl Tail {
    pub(super) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { held: Vec::new(), stops, started: false }
    }

    /// Takes a piece; gives the text that is certain by now, and whether a stop text appeared.
    pub(super) fn push(&mut self, piece: &[u8]) -> (String, bool) {
        self.held.extend_from_slice(piece);
        if !self.started {
            let blank = self.held.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.held.drain(..blank);
            self.started = !self.held.is_empty();
        }
        let text = String::from_utf8_lossy(&self.held).into_owned();
        if let Some(at) = self.stops.iter().filter_map(|stop| text.find(stop.as_str())).min() {
            self.held.clear();
            return (text[..at].trim_end().to_owned(), true);
        }
        let whole = match std::str::from_utf8(&self.held) {
            Ok(_) => self.held.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            // Bytes that can never become a character are handed out as replacement characters.
            Err(_) => {
                self.held.clear();
                return (text, false);
            }
        };
        let certain = first_possible_stop(&text[..whole], &self.stops);
        self.held.drain(..certain);
        (text[..certain].to_owned(), false)
    }

    /// What is left at the end.
    pub(super) fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).trim_end().to_owned()
    }
}

/// Where the first stop text may begin: the start of the longest end of `text` that begins one.
fn first_possible_stop(text: &str, stops: &[String]) -> usize {
    text.char_indices()
        .map(|(at, _)| at)
        .find(|at| stops.iter().any(|stop| stop.starts_with(&text[*at..])))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail() -> Tail {
        Tail::new(&["\nUser:".into(), String::new()])
    }

    #[test]
    fn a_stop_text_across_pieces_is_never_handed_out() {
        let mut tail = tail();
        assert_eq!(tail.push(b" Hello\nUs"), ("Hello".into(), false));
        assert_eq!(tail.push(b"er: and"), (String::new(), true));
    }

    #[test]
    fn a_character_cut_in_two_pieces_comes_out_whole() {
        let mut tail = tail();
        let bytes = "né".as_bytes();
        assert_eq!(tail.push(&bytes[..2]), ("n".into(), false));
        assert_eq!(tail.push(&bytes[2..]), ("é".into(), false));
    }

    #[test]
    fn what_only_looked_like_a_stop_text_comes_out_in_the_end() {
        let mut tail = tail();
        assert_eq!(tail.push(b"one\n"), ("one".into(), false));
        assert_eq!(tail.push(b"two"), ("\ntwo".into(), false));
        assert_eq!(tail.push(b"\nUser"), (String::new(), false));
        assert_eq!(tail.rest(), "\nUser");
    }
}
