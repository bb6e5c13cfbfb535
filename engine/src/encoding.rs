//! Token vectors of a text and how they are pooled into one. It must not know which model made them.

/// The embedder's vectors of a text's tokens, without special tokens.
#[derive(Debug, Clone)]
pub struct Encoding {
    /// In the order of the text.
    pub tokens: Vec<EncodedToken>,
}

/// One token's vector.
#[derive(Debug, Clone)]
pub struct EncodedToken {
    /// First byte of the word that the token belongs to.
    pub start: usize,
    /// One past that word's last byte.
    pub end: usize,
    /// The embedder's width.
    pub vector: Vec<f32>,
}

impl Encoding {
    /// The mean of the tokens that overlap a span, scaled to unit length; of all tokens if none does.
    #[must_use]
    pub fn pool(&self, spans: &[(usize, usize)]) -> Vec<f32> {
        let inside = |start: usize, end: usize| spans.iter().any(|span| start < span.1 && end > span.0);
        let any = self.tokens.iter().any(|token| inside(token.start, token.end));
        self.pool_weighted(|start, end| if !any || inside(start, end) { 1.0 } else { 0.0 })
    }

    /// The sum of the tokens' vectors times `weight(start, end)`, scaled to unit length.
    #[must_use]
    pub fn pool_weighted(&self, weight: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let mut sum = vec![0.0; self.tokens.first().map_or(0, |token| token.vector.len())];
        for token in &self.tokens {
            let weight = weight(token.start, token.end);
            if weight != 0.0 {
                sum.iter_mut()
                    .zip(&token.vector)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
        }
        unit(sum)
    }
}

/// `own + weight × with_context`, scaled to unit length.
#[must_use]
pub fn mix(own: &[f32], with_context: &[f32], weight: f32) -> Vec<f32> {
    unit(
        own.iter()
            .zip(with_context)
            .map(|(own, context)| own + weight * context)
            .collect(),
    )
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding() -> Encoding {
        let token = |start, end, vector: [f32; 2]| EncodedToken {
            start,
            end,
            vector: vector.to_vec(),
        };
        Encoding {
            tokens: vec![
                token(0, 2, [1.0, 0.0]),
                token(3, 5, [0.0, 1.0]),
                token(6, 8, [0.0, 1.0]),
            ],
        }
    }

    #[test]
    fn pooling_takes_the_tokens_under_the_spans() {
        assert_eq!(encoding().pool(&[(0, 1)]), [1.0, 0.0]);
        assert_eq!(encoding().pool(&[(3, 8)]), [0.0, 1.0]);
    }

    #[test]
    fn pooling_without_a_matching_span_takes_all_tokens() {
        let all = encoding().pool(&[]);
        assert!((all[0] - 1.0 / 5.0_f32.sqrt()).abs() < 1e-6 && (all[1] - 2.0 / 5.0_f32.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn a_mix_has_unit_length() {
        let mixed = mix(&[1.0, 0.0], &[0.0, 1.0], 0.5);
        assert!((mixed.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
