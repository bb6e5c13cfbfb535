//! What is sent along with a message and is no text: images, sound, video, files and parts of an unknown kind. The memory can
//! quote none of them.
//!
//! It tells what a part of a message's content is, and estimates its tokens as the providers count them: an image by
//! its size and detail, a file by its pages, sound by its length.

mod data;
mod documents;
mod images;

use std::ops::Range;

use super::json_scan;
use super::json_scan::{decoded, slice};

use data::Encoded;
pub(crate) use images::ImageRule;

/// A kind of attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A picture or a screenshot.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A document.
    File,
    /// A part of a type that is not known here.
    Unknown,
}

/// An attachment of a request to a model that counts images by some rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Attachment {
    /// What it is.
    pub(crate) kind: Kind,
    /// How its model counts images.
    pub(crate) rule: ImageRule,
}

impl Kind {
    /// The kind of a part, or of an item, of type `name`. `None` when it is not known.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let kind = match name {
            "image_url" | "input_image" | "image" | "image_file" | "computer_screenshot" | "image_generation_call" => {
                Self::Image
            }
            "input_audio" | "audio" | "audio_url" => Self::Audio,
            "video_url" | "input_video" | "video" => Self::Video,
            "file" | "input_file" | "document" | "file_url" | "container_upload" => Self::File,
            _ => return None,
        };
        Some(kind)
    }
}

impl Attachment {
    /// About how many tokens the attachment costs that was sent as `raw`; `None` when it has to be counted by its JSON.
    pub(crate) fn tokens(self, raw: &[u8]) -> Option<usize> {
        let source = Source::new(raw);
        let tokens = match self.kind {
            Kind::Image => self.rule.tokens(source.image_size(), source.is_low_detail),
            Kind::Audio => match source.data {
                Some(data) => documents::seconds_of_sound(data) * AUDIO_TOKENS_PER_SECOND,
                None => UNSEEN_SECONDS * AUDIO_TOKENS_PER_SECOND,
            },
            Kind::Video => match source.data {
                Some(data) => (data.len() / VIDEO_BYTES_PER_SECOND + 1) * VIDEO_TOKENS_PER_SECOND,
                None => UNSEEN_SECONDS * VIDEO_TOKENS_PER_SECOND,
            },
            Kind::File => match source.data {
                Some(data) => documents::tokens_of_file(data),
                None => source.text_tokens.unwrap_or(UNSEEN_PAGES * documents::TOKENS_PER_PAGE),
            },
            Kind::Unknown => return None,
        };
        Some(tokens)
    }
}

/// Sound as OpenAI counts it on its way in.
const AUDIO_TOKENS_PER_SECOND: usize = 10;
/// Video as Google counts it, at about a megabit a second.
const VIDEO_TOKENS_PER_SECOND: usize = 263;
const VIDEO_BYTES_PER_SECOND: usize = 125_000;
/// What is taken of sound, video and files that are only named, by an address or an id.
const UNSEEN_SECONDS: usize = 30;
const UNSEEN_PAGES: usize = 3;

/// Where an attachment's bytes are, and what else is said about it.
#[derive(Debug, Default)]
struct Source<'a> {
    /// Its bytes, when they are sent along.
    data: Option<Encoded<'a>>,
    /// Tokens of a document that is sent as plain text.
    text_tokens: Option<usize>,
    is_low_detail: bool,
}

impl<'a> Source<'a> {
    fn new(raw: &'a [u8]) -> Self {
        let mut source = Self::default();
        source.look(raw, &(0..raw.len()), LEVELS);
        source
    }

    /// Looks at an object's fields, and at those of the objects in it, at most `levels` deep.
    fn look(&mut self, raw: &'a [u8], range: &Range<usize>, levels: usize) {
        let (mut inner, mut data, mut is_text) = (None, None, false);
        // What is no object has no fields, and nothing is known of it then.
        let _ = json_scan::members(raw, range, |name, span| {
            let value = slice(raw, &span.range);
            match (name.as_ref(), value.first()) {
                (
                    "image_url" | "input_audio" | "file" | "source" | "audio" | "video_url" | "audio_url"
                    | "image_file",
                    Some(b'{'),
                ) => inner = Some(span.range),
                ("url" | "image_url" | "file_data" | "data" | "video_url" | "audio_url" | "result", Some(b'"')) => {
                    data = Some(value);
                }
                ("detail", _) => self.is_low_detail |= value == b"\"low\"",
                ("type", _) => is_text = value == b"\"text\"",
                _ => {}
            }
        });
        match data {
            Some(text) if is_text => {
                self.text_tokens = Some(decoded(text).map_or(text.len(), |text| text.len()).div_ceil(4));
            }
            Some(text) => self.data = Encoded::new(text).or(self.data),
            None => {}
        }
        if let (Some(inner), Some(levels)) = (inner, levels.checked_sub(1)) {
            self.look(raw, &inner, levels);
        }
    }

    fn image_size(&self) -> Option<(usize, usize)> {
        images::size_of(self.data?)
    }
}

/// How deep in a part its bytes may be.
const LEVELS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a PNG of this many pixels, in base64.
    fn png(width: u32, height: u32) -> String {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        data::tests::encoded(&bytes)
    }

    fn tokens(kind: Kind, raw: &str) -> Option<usize> {
        let rule = ImageRule::new("gpt-4o");
        Attachment { kind, rule }.tokens(raw.as_bytes())
    }

    #[test]
    fn an_image_is_counted_by_its_size_wherever_a_client_puts_it() {
        let image = png(1024, 1024);
        for raw in [
            format!(r#"{{"type":"image_url","image_url":{{"url":"data:image\/png;base64,{image}","detail":"high"}}}}"#),
            format!(r#"{{"type":"input_image","image_url":"data:image/png;base64,{image}"}}"#),
            format!(r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{image}"}}}}"#),
            format!(r#"{{"type":"image_generation_call","id":"ig","result":"{image}"}}"#),
        ] {
            assert_eq!(tokens(Kind::Image, &raw), Some(765), "{raw}");
        }
        let small = png(300, 200);
        let part = |detail: &str| {
            format!(
                r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{small}","detail":"{detail}"}}}}"#
            )
        };
        assert_eq!(tokens(Kind::Image, &part("auto")), Some(255));
        assert_eq!(tokens(Kind::Image, &part("low")), Some(85));
        let remote = r#"{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}"#;
        assert_eq!(tokens(Kind::Image, remote), Some(765));
    }

    #[test]
    fn what_is_only_named_has_a_sensible_size_and_what_is_unknown_is_left_to_its_json() {
        for raw in [
            r#"{"type":"file","file":{"file_id":"file-1"}}"#,
            r#"{"type":"input_file","file_url":"https://example.com/a.pdf"}"#,
            r#"{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}"#,
        ] {
            assert_eq!(tokens(Kind::File, raw), Some(3 * documents::TOKENS_PER_PAGE), "{raw}");
        }
        let text = r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"12345678"}}"#;
        assert_eq!(tokens(Kind::File, text), Some(2));
        assert_eq!(tokens(Kind::Audio, r#"{"type":"audio","id":"audio_1"}"#), Some(300));
        assert_eq!(tokens(Kind::Unknown, r#"{"type":"hologram"}"#), None);
        assert_eq!(tokens(Kind::Image, "5"), Some(765));
    }
}
