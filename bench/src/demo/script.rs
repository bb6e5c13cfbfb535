//! The conversation of the demo: everyday chat, a few facts early on, and questions about them late.
//!
//! It must not know who answers or what is measured.

/// One user turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the user says.
    pub text: String,
    /// For a question about an early fact: the words that its answer needs.
    pub needs: Option<&'static str>,
}

/// A fact, told early and asked for late.
struct Fact {
    told: &'static str,
    asked: &'static str,
    needs: &'static str,
}

/// The system message of every request.
pub const SYSTEM: &str = "You are a friendly assistant who keeps answers short.";

/// The conversation of `turns` user turns, at least 20.
#[must_use]
pub fn conversation(turns: usize) -> Vec<Line> {
    let mut chat = (0..).map(small_talk);
    let last = turns.saturating_sub(1);
    (0..turns)
        .filter_map(|turn| {
            let told = FACTS
                .get(turn.wrapping_sub(1) / 2)
                .filter(|_| turn % 2 == 1)
                .map(|fact| plain(fact.told));
            let asked = FACTS
                .get((last - turn) / 2)
                .filter(|_| (last - turn).is_multiple_of(2))
                .map(question);
            told.or(asked).or_else(|| chat.next())
        })
        .collect()
}

/// What the scripted upstream answers, one after the other.
pub const REPLIES: [&str; 12] = [
    "That sounds lovely, tell me how it goes. If you like, I can help you plan the rest of the day, one small thing after \
     the other, so that the evening stays free.",
    "Good idea, I would do it the same way. Most people overthink this and end up doing nothing at all, so a simple start \
     is often the best one.",
    "Oh no, I hope it gets better soon! In the meantime, be kind to yourself and leave the rest for tomorrow. Nothing of \
     it sounds as if it could not wait.",
    "Noted, thanks for telling me. I will keep it in mind for later, in case it matters for something else that we talk \
     about in the next days.",
    "Ha, that made me smile. It is the kind of story that gets better each time it is told, so do write it down before \
     the details fade away.",
    "I see. Take your time with it, there is no prize for being fast. If it helps, make a short list and cross out the \
     half that nobody would miss.",
    "Sounds like a plan to me. You could also ask a friend to join, since company makes most errands shorter and nearly \
     all of them more pleasant.",
    "Interesting, I had not thought of that. There are surely two sides to it, but yours is the one with the better view \
     and the more comfortable chair.",
    "What a day! I am glad you told me. Sometimes the smallest events stay with us longest, and this one has everything \
     that it takes.",
    "That is very relatable. I would give it another week before deciding anything, and until then enjoy the quiet that \
     comes with not knowing.",
    "Nice! It is good to see that it worked out in the end. Perhaps next time you can skip the hard part and go straight \
     to the pleasant one.",
    "Fair enough. If it ever becomes a real problem, we can look at it together step by step, but right now it sounds \
     more like a charming detail.",
];

const FACTS: [Fact; 5] = [
    Fact {
        told: "Before I forget: my daughter Mira is allergic to cashews, so nothing with nuts at her birthday, please.",
        asked: "I am choosing a cake for Mira's birthday. Is there anything she is allergic to?",
        needs: "cashews",
    },
    Fact {
        told: "I booked the ferry to Gotland for the family, the booking code is KX7-4491.",
        asked: "I am on the ferry company's web page. What was the booking code for Gotland?",
        needs: "KX7-4491",
    },
    Fact {
        told: "My appointment with the dentist, Dr. Okafor, is on 14 March at 9:40 in the morning.",
        asked: "When was my appointment with the dentist again?",
        needs: "14 March",
    },
    Fact {
        told: "We finally found a name for the puppy: she is called Biscuit, after the colour of her ears.",
        asked: "I am ordering a tag for the puppy's collar. Which name did we give her?",
        needs: "Biscuit",
    },
    Fact {
        told: "The spare key for the cabin is with our neighbour Henrik, in the yellow house.",
        asked: "We are standing in front of the cabin. Who has the spare key?",
        needs: "Henrik",
    },
];

const SMALL_TALK: [&str; 50] = [
    "Good morning! It is raining again here, so I am staying in with a pot of tea and a long list of small things to do.",
    "I tried a new recipe for lentil soup yesterday. It needed more salt than I thought, but the leftovers were better.",
    "The bus was twenty minutes late and then two came at once. I read half a magazine at the stop.",
    "My colleague showed me a shortcut in the spreadsheet program that would have saved me hours last year.",
    "We moved the sofa to the other wall and now the whole room looks bigger. The cat is still offended.",
    "I started running again. Two kilometres felt like ten, but I slept very well afterwards.",
    "Someone in the street is learning the trumpet. Every evening the same three notes, a little cleaner each time.",
    "The tomatoes on the balcony are finally turning red, all of them in the same week of course.",
    "I watched a documentary about octopuses. They taste with their arms, which I can't stop thinking about.",
    "Our printer has decided to print everything in purple. I might just call it a design choice.",
    "I have been reading a novel about a lighthouse keeper. Nothing happens and I can't put it down.",
    "The supermarket moved all the shelves around. I walked past the flour four times before I saw it.",
    "We played cards with friends until midnight and I lost every single round, cheerfully.",
    "I cleaned the oven today, which I had been putting off since spring. It looks almost new.",
    "There is a new bakery on the corner. Their rye bread is heavy enough to hold a door open.",
    "My bicycle has a squeak that only appears when somebody else is listening.",
    "I am thinking about painting the hallway, perhaps a warm grey, or something braver like green.",
    "The meeting could have been two sentences in a message. We spent an hour on the agenda alone.",
    "I found my old stamp collection in the attic, with a letter from my grandmother between the pages.",
    "The neighbours' children built a dam in the gutter and were very proud when it flooded the path.",
    "I learned to fold a paper crane from a video. The first five looked more like folded napkins.",
    "It was so windy today that my umbrella gave up on the bridge. I carried it home like a broken bird.",
    "I want to learn a bit of Italian before summer. So far I can order coffee and apologise.",
    "The library extended its opening hours, so I spent Saturday evening there among the atlases.",
    "We had pancakes for dinner because nobody wanted to cook anything else. No regrets at all.",
    "My headphones stopped working on the left side, so music is half as complicated now.",
    "I planted bulbs in the front garden, mostly tulips, and I have already forgotten where they are.",
    "The choir is looking for a tenor. I can't sing, but they said enthusiasm counts for a lot.",
    "I repaired the kitchen drawer with a wooden spoon and some glue. It holds, which surprises everyone.",
    "Our train stood in a field for half an hour. A fox walked along the whole length of it.",
    "I am trying to drink less coffee. By eleven o'clock I was a different and worse person.",
    "The museum had an exhibition of maps with sea monsters. The oldest ones look rather friendly.",
    "I sorted the photographs from the last ten years and kept the blurred ones, they have more life in them.",
    "There was a power cut in our street, so we talked by candlelight like in an old film.",
    "I bought a jigsaw puzzle of a plain blue sky. I do not know what I was thinking.",
    "The swimming pool is open again and the water was so cold that everybody was very polite.",
    "I wrote a long letter by hand and my fingers were sore afterwards. It felt good to send it.",
    "We are arguing about the right way to load the dishwasher. There is no end in sight.",
    "I heard the first blackbird of the year this morning, sitting on the antenna across the yard.",
    "My sourdough starter survived the holidays. It smells like apples and looks like soup.",
    "I took a different way home and found a tiny shop that sells nothing but buttons.",
    "The lamp on my desk flickers whenever the washing machine spins. I have chosen to ignore it.",
    "I spent an hour looking for my glasses while wearing them. Nobody said a word.",
    "The allotment has more courgettes than we can eat, so every visitor leaves with one.",
    "I joined a quiz night at the pub. We came last, but we knew the capital of Bhutan.",
    "The old clock in the hall runs again, four minutes fast, and we have agreed to like it that way.",
    "I gave the shelves in the cellar labels. Now I can find everything that I never need.",
    "The first snow came today and was gone by lunch. The children still talk about it.",
    "I tried to knit a scarf and it has become something like a triangle. It may be a hat one day.",
    "A postcard arrived that was sent two years ago. The weather in it was very nice.",
];

/// Small talk without end; after the last line the days are counted, so that no two lines are alike.
fn small_talk(number: usize) -> Line {
    let text = SMALL_TALK[number % SMALL_TALK.len()];
    match number / SMALL_TALK.len() {
        0 => plain(text),
        round => Line {
            text: format!("Another day, number {round} of these. {text}"),
            needs: None,
        },
    }
}

fn plain(text: &str) -> Line {
    Line {
        text: text.to_owned(),
        needs: None,
    }
}

fn question(fact: &Fact) -> Line {
    Line {
        text: fact.asked.to_owned(),
        needs: Some(fact.needs),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fact_is_told_early_and_asked_late() {
        for turns in [20, 60, 61, 150] {
            let lines = conversation(turns);
            assert_eq!(lines.len(), turns);
            for fact in &FACTS {
                let told = lines.iter().position(|line| line.text == fact.told);
                let asked = lines.iter().position(|line| line.text == fact.asked);
                assert!(told.is_some_and(|told| told < 10), "{}", fact.told);
                assert!(asked.is_some_and(|asked| asked >= turns - 9), "{}", fact.asked);
            }
        }
    }

    #[test]
    fn no_line_is_said_twice_and_only_questions_need_facts() {
        let lines = conversation(200);
        let texts: HashSet<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts.len(), 200);
        assert_eq!(lines.iter().filter(|line| line.needs.is_some()).count(), FACTS.len());
    }

    #[test]
    fn a_question_does_not_give_its_answer_away() {
        for fact in &FACTS {
            assert!(fact.told.contains(fact.needs));
            assert!(FACTS.iter().all(|other| !other.asked.contains(fact.needs)));
            assert!(SMALL_TALK.iter().chain(&REPLIES).all(|line| !line.contains(fact.needs)));
        }
    }
}
