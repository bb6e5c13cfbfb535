//! What an image costs, by the published rules of the providers.

use super::data::Encoded;

/// How a model counts images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ImageRule {
    /// OpenAI's: a base, and so much for each tile of 512 × 512 pixels once the image fits 2048 × 2048 and its shorter side
    /// 768. An image in low detail costs the base.
    Tiles {
        /// Tokens of every image.
        base: u16,
        /// Tokens of each tile.
        tile: u16,
    },
    /// OpenAI's for its newer small models: patches of 32 × 32 pixels, at most 1536 of them, times so many hundredths.
    Patches {
        /// Hundredths of a token for each patch.
        hundredths: u16,
    },
    /// Anthropic's: a token for 750 pixels, at most about 1600.
    Area,
    /// Google's: 258 for each tile of 768 × 768 pixels.
    Squares,
}

impl ImageRule {
    /// The rule of the model that is called `model`, such as `gpt-4o` or `anthropic/claude-sonnet-4`. OpenAI's first one where
    /// nothing better is known.
    pub(crate) fn new(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let begins = |with: &[&str]| with.iter().any(|with| name.starts_with(with));
        if model.contains("claude") {
            Self::Area
        } else if model.contains("gemini") {
            Self::Squares
        } else if begins(&["gpt-4.1-mini", "gpt-5-mini"]) {
            Self::Patches { hundredths: 162 }
        } else if begins(&["gpt-4.1-nano", "gpt-5-nano"]) {
            Self::Patches { hundredths: 246 }
        } else if begins(&["o4-mini"]) {
            Self::Patches { hundredths: 172 }
        } else if begins(&["gpt-5"]) {
            Self::Tiles { base: 70, tile: 140 }
        } else if begins(&["o1", "o3"]) {
            Self::Tiles { base: 75, tile: 150 }
        } else if begins(&["computer-use"]) {
            Self::Tiles { base: 65, tile: 129 }
        } else {
            Self::Tiles { base: 85, tile: 170 }
        }
    }

    /// Tokens of an image of `size` pixels; where that is not known, of one of 1024 × 1024.
    pub(super) fn tokens(self, size: Option<(usize, usize)>, is_low_detail: bool) -> usize {
        let (width, height) = size.unwrap_or(UNSEEN);
        let (width, height) = (width.clamp(1, LARGEST), height.clamp(1, LARGEST));
        match self {
            Self::Tiles { base, .. } if is_low_detail => usize::from(base),
            Self::Tiles { base, tile } => {
                let (width, height) = within(width, height, 2048);
                let shorter = width.min(height);
                let (width, height) =
                    if shorter > 768 { (width * 768 / shorter, height * 768 / shorter) } else { (width, height) };
                usize::from(base) + usize::from(tile) * width.div_ceil(512) * height.div_ceil(512)
            }
            Self::Patches { hundredths } => {
                let patches = width.div_ceil(32) * height.div_ceil(32);
                let most = if is_low_detail { LOW_PATCHES } else { MOST_PATCHES };
                (patches.min(most) * usize::from(hundredths)).div_ceil(100)
            }
            Self::Area => {
                let (width, height) = within(width, height, 1568);
                (width * height).div_ceil(750).clamp(1, MOST_BY_AREA)
            }
            Self::Squares => {
                let tiles = if width.max(height) <= 384 { 1 } else { width.div_ceil(768) * height.div_ceil(768) };
                258 * tiles
            }
        }
    }
}

/// The size of an image, from its head.
pub(super) fn size_of(data: Encoded<'_>) -> Option<(usize, usize)> {
    for limit in HEADS {
        if let Ok(size) = imagesize::blob_size(&data.first(limit)) {
            return Some((size.width, size.height));
        }
    }
    None
}

const UNSEEN: (usize, usize) = (1024, 1024);
/// Pixels on a side; a head that claims more is not believed.
const LARGEST: usize = 1 << 16;
const MOST_PATCHES: usize = 1536;
/// 512 × 512 pixels.
const LOW_PATCHES: usize = 256;
const MOST_BY_AREA: usize = 1600;
/// Where the size of an image stands: nearly always in its first bytes, in a photograph behind whatever its camera wrote.
const HEADS: [usize; 3] = [1 << 10, 64 << 10, 512 << 10];

/// The sides of an image that is made smaller, if it must be, to fit a square.
fn within(width: usize, height: usize, side: usize) -> (usize, usize) {
    let longer = width.max(height);
    if longer <= side {
        return (width, height);
    }
    ((width * side / longer).max(1), (height * side / longer).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_cost_what_the_providers_documentation_says() {
        // OpenAI's own examples: 1024 × 1024 costs 765, 2048 × 4096 costs 1105, low detail 85; 1024 × 1024 takes 1024 patches.
        let tokens = |model: &str, size: (usize, usize)| ImageRule::new(model).tokens(Some(size), false);
        assert_eq!(tokens("gpt-4o", (1024, 1024)), 765);
        assert_eq!(tokens("openai/gpt-4o", (2048, 4096)), 1105);
        assert_eq!(ImageRule::new("gpt-4o").tokens(Some((4096, 8192)), true), 85);
        assert_eq!(tokens("gpt-4.1-mini", (1024, 1024)), 1659);
        assert_eq!(tokens("gpt-4.1-mini", (4000, 4000)), 2489);
        assert_eq!(tokens("gpt-5", (512, 512)), 210);
        assert_eq!(tokens("o3", (512, 512)), 225);
        // Anthropic's: 1000 × 1000 costs about 1334.
        assert_eq!(tokens("claude-sonnet-4", (1000, 1000)), 1334);
        assert_eq!(tokens("google/gemini-2.5-pro", (960, 540)), 516);
        assert_eq!(ImageRule::new("some-model").tokens(None, false), 765);
    }

    #[test]
    fn no_size_overflows_and_none_costs_nothing() {
        for rule in [ImageRule::new("gpt-4o"), ImageRule::new("gpt-5-mini"), ImageRule::Area, ImageRule::Squares] {
            for size in [(0, 0), (1, usize::MAX), (usize::MAX, usize::MAX)] {
                assert!(rule.tokens(Some(size), false) > 0);
            }
        }
    }
}
