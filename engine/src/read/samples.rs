//! Sample texts in many languages, of which a model's mean token vector is computed where none is known.
//!
//! A change changes that vector, and codes that are stored must be made anew.

/// What people tell an assistant or each other: daily life, plans, work, code and tables.
pub(super) const SAMPLES: &[&str] = &[
    "I moved to Lisbon last spring and found a small flat near the river. My sister visits me every other weekend, and we cook \
     together. On 7 May 2023 we went to a concert that started at 8:30 pm; the tickets cost 45 euros each.",
    "Could you help me plan a birthday party for about twenty people? My daughter is allergic to peanuts, she loves dinosaurs, \
     and we have a budget of $300. It should be on a Saturday afternoon in our garden.",
    "The build fails with an error in the parser: expected a semicolon at line 214. I think the function that reads the \
     configuration file returns None when the key is missing. How do I test that?",
    "Yesterday the doctor said that I should sleep more, drink less coffee and take the tablets twice a day for three weeks. I \
     was worried at first, but now I feel much better. Thanks for asking, how was your trip to the mountains?",
    "fn total(items: &[Item]) -> u64 {\n    items.iter().map(|item| item.price * item.count).sum()\n}\n",
    "| name | city | since |\n|------|------|-------|\n| Anna | Oslo | 2019 |\n| Ben | Madrid | 2021 |\n",
    "Ich habe letzte Woche einen neuen Job in einer Bäckerei angefangen. Wir beginnen um vier Uhr morgens, aber dafür habe ich \
     nachmittags frei und kann mit meinem Hund spazieren gehen. Im August fahren wir mit dem Zug nach Wien.",
    "Mi hermano compró un coche usado por 8.000 euros, pero la semana pasada se averió en la autopista. Ahora busca un taller \
     barato cerca de Valencia. ¿Conoces a alguien que pueda ayudarle antes del viernes?",
    "Nous avons repeint la cuisine en bleu et changé les rideaux du salon. Mes parents arrivent dimanche par le train de midi ; \
     il faut encore acheter du fromage, du pain et un cadeau pour l'anniversaire de ma mère.",
    "Ho iniziato un corso di ceramica ogni giovedì sera. La maestra dice che la mia prima tazza è venuta bene, anche se il manico \
     è storto. L'anno prossimo vorrei esporre qualche pezzo al mercato di Firenze.",
    "Minha avó fez oitenta anos em março e toda a família se reuniu na fazenda. As crianças brincaram no rio, e meu tio contou \
     histórias da época em que trabalhava no porto de Santos.",
    "Wij hebben een boot gekocht en willen in de zomer langs de kust varen. Mijn vrouw leert nu navigeren en ik repareer de motor. \
     Het weer was vorige maand te slecht om te oefenen.",
    "W zeszłym roku zacząłem biegać i schudłem dziesięć kilogramów. W październiku chcę wystartować w półmaratonie w Krakowie, ale \
     najpierw muszę wyleczyć kolano.",
    "В прошлом году мы с братом ездили в Киото, и он искал там старые шахматы. Погода была холодная, зато музеи были почти пустые. \
     Билеты стоили двенадцать тысяч рублей.",
    "Geçen hafta yeni bir telefon aldım ama kamerası iyi çalışmıyor. Mağaza cumartesi gününe kadar değiştireceğini söyledi. Sence \
     parasını geri istemeli miyim?",
    "اشترت أختي شقة صغيرة قرب البحر في الإسكندرية، وسننتقل إليها في شهر يونيو. نحتاج إلى ثلاجة جديدة وطاولة للمطبخ، وأبي يريد أن \
     يزرع الطماطم على الشرفة.",
    "קניתי אתמול אופניים חדשים ורכבתי איתם לעבודה. הדרך לוקחת ארבעים דקות, אבל אני נהנה מהאוויר בבוקר.",
    "मेरी बेटी अगले महीने से नए स्कूल में पढ़ेगी। उसे गणित और चित्रकला पसंद है, पर सुबह जल्दी उठना मुश्किल लगता है। हम शनिवार को किताबें खरीदने \
     बाज़ार जाएँगे।",
    "আমার বন্ধু ঢাকায় একটি ছোট রেস্তোরাঁ খুলেছে। প্রতি শুক্রবার সে মাছ আর ভাত রান্না করে, আর লোকেরা লাইনে দাঁড়িয়ে থাকে।",
    "先週の日曜日、家族と一緒に京都へ行きました。古いお寺を見たあと、抹茶のケーキを食べました。来年の春は北海道で桜を見たいです。\
     予算は一人三万円くらいです。",
    "我上个月换了工作，现在在一家医院做程序员。每天早上七点出门，坐地铁要四十分钟。周末我常常和朋友去爬山，或者在家里学做菜。",
    "지난주에 부산에서 친구 결혼식이 있었어요. 바다가 보이는 호텔이었고 음식도 아주 맛있었어요. 다음 달에는 제주도로 여행을 갈 계획이에요.",
    "เมื่อวานฉันไปตลาดกับแม่ เราซื้อผลไม้และปลาสดกลับมาทำอาหารเย็น พี่ชายของฉันจะกลับจากเชียงใหม่วันศุกร์หน้า",
    "Tuần trước tôi bắt đầu học đàn guitar vào mỗi tối thứ ba. Ngón tay hơi đau nhưng tôi rất thích. Thầy giáo nói sau ba tháng tôi có \
     thể chơi một bài hát đơn giản.",
    "Kemarin saya menanam cabai dan tomat di halaman belakang. Tetangga memberi saya pupuk, dan anak saya menyiramnya setiap pagi \
     sebelum berangkat ke sekolah.",
    "Η μητέρα μου μαζεύει ελιές κάθε Νοέμβριο στο χωριό. Φέτος είχαμε λίγο λάδι, γιατί δεν έβρεξε το καλοκαίρι, αλλά η γεύση του \
     είναι καταπληκτική.",
];
