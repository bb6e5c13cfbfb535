//! Passwords and codes that only their places tell, and what stands in such places without being one.

use proptest::prelude::*;
use proptest::sample::select;

use super::{MASKER, assert_time_grows_with_the_text, masked, programs};

/// Lines with a secret between ⟦ and ⟧, which no real line has. All of these secrets were made up for this table.
const MASKED: &[&str] = &[
    // Commands.
    "curl -u bob:⟦hunter22⟧ https://example.org/api",
    "curl -sS -u 'bob:⟦zebra crossing⟧' https://git.example.org/x",
    "curl -sku bob:⟦sunshine⟧ https://git.example.org/x",
    "Run `curl --user bob:⟦tiger99⟧ -X POST https://git.example.org/x` again.",
    "curl https://git.example.org/x \\\n  -H 'Accept: */*' \\\n  -u bob:⟦tiger99⟧",
    "curl --user=bob:⟦tiger99⟧ https://git.example.org/x",
    "curl --user-agent='Mozilla/5.0 (X11; rv:109.0) x' --proxy-user=bob:⟦tiger99⟧ https://git.example.org/x",
    "http -a ann:⟦mandarin⟧ POST https://git.example.org/x",
    "mysql -u root -p⟦Sonne99⟧ shop < dump.sql",
    "mysqldump -h db1 -uroot -p'⟦quiet river⟧' shop | gzip",
    "mysql -u root -p⟦3306tiger⟧ shop",
    "mysql -h mysql -P 3307 -p⟦mandarin⟧ shop",
    "sshpass -p ⟦raspberry⟧ ssh pi@10.0.0.7",
    "sshpass -p'⟦raspberry⟧' scp a pi@10.0.0.7:",
    "sudo /usr/bin/sshpass -p \"⟦Tr0ub4dor&3⟧\" ssh pi@10.0.0.7",
    "redis-cli -h cache -p 6380 -a ⟦mandarin⟧ ping",
    "docker login -u ann -p ⟦mandarin7⟧ registry.example.org",
    "helm registry login -u ann --password ⟦mandarin7⟧ registry.example.org",
    "mongosh --host db1 -u ann -p ⟦mandarin⟧ shop",
    "sqlcmd -S db1 -U sa -P ⟦Mandarin!⟧ -Q 'select 1'",
    "ldapsearch -x -D cn=reader -w ⟦mandarin⟧ -b dc=org",
    "unzip -P ⟦mandarin⟧ photos.zip",
    "7z x -p⟦mandarin⟧ photos.7z",
    "keytool -list -keystore a.jks -storepass ⟦mandarin⟧",
    "lftp -u ann,⟦mandarin⟧ ftp.example.org",
    "smbclient //nas/photos -U ann%⟦mandarin⟧",
    "sqlplus shop/⟦mandarin⟧@db1",
    "mount -o username=bob,password=⟦bluebird⟧ //nas/photos /mnt",
    "sudo mount -t cifs //nas/photos /mnt -o ro -o 'user=bob,pass=⟦bluebird⟧,uid=1000'",
    "mount.cifs //nas/photos /mnt -ousername=bob,password=⟦bluebird⟧",
    "//nas/photos /mnt cifs username=bob,password=⟦bluebird⟧,uid=1000 0 0",
    // Words that only begin as the name of a secret does.
    "curl -u bob:⟦secretword⟧ https://git.example.org/x",
    "wget --password=⟦secretword⟧ https://git.example.org/x",
    "PGPASSWORD=⟦secretword⟧ psql -h db1 -U ann shop",
    "MYSQL_PWD=⟦secretary⟧ mysql shop",
    "REDIS_PASSWORD=⟦topsecretfriend⟧",
    "CREATE USER ann IDENTIFIED BY '⟦quiet mandarin⟧';",
    "ALTER ROLE ann WITH PASSWORD '⟦mandarin⟧';",
    // Options.
    "backup --password=⟦mandarin⟧ --to nas",
    "backup --password ⟦mandarin7⟧ --to nas",
    "backup --db-password='⟦quiet mandarin⟧' --to nas",
    "backup --passphrase=\"⟦mandarin⟧\"",
    "deploy --token=⟦a1b2c3d4e5⟧ --now",
    "deploy --api-key ⟦k7m2p9q4⟧ --now",
    // Environments and connection strings.
    "PGPASSWORD=⟦mandarin⟧ psql -h db1 -U ann shop",
    "export MYSQL_PWD=⟦mandarin⟧",
    "SMTP_PASS=⟦mandarin⟧",
    "REDIS_PASSWORD='⟦quiet mandarin⟧'",
    "Server=db1;Database=shop;User Id=ann;Password=⟦mandarin⟧;",
    "Server=db1;Uid=ann;Pwd=⟦mandarin⟧;Encrypt=yes",
    // Files of credentials.
    "machine git.example.org login ann password ⟦mandarin⟧",
    "machine git.example.org\n  login ann\n  password ⟦mandarin⟧\n",
    "default login anonymous password ⟦mandarin⟧",
    "db1.example.org:5432:shop:ann:⟦mandarin⟧",
    "*:5432:*:ann:⟦mandarin⟧",
    "~/.pgpass has\n*:*:*:ann:⟦mandarin7⟧",
    // Headers.
    "Proxy-Auth is Basic ⟦YW5uOm1hbmRhcmlu⟧ in the trace",
    "\"X-Forwarded-Auth\": \"Basic ⟦YW5uOm1hbmRhcmluNw==⟧\"",
    // Names and values.
    "pass: ⟦hunter22⟧",
    "Pass = ⟦tiger99⟧",
    "pw: ⟦mandarin7⟧",
    "The pass is ⟦mandarin7⟧, as ever.",
    "passphrase = ⟦lemon-harbor-violin-cactus⟧",
    "Basic auth: bob:⟦tiger99⟧",
    "{\"user\": \"ann\", \"password\": \"⟦tiger78⟧\"}",
    "{\"passphrase\": \"⟦tiger99⟧\"}",
    "password: ⟦tiger99⟧\nhost: db1",
    "passwd = \"⟦tiger99⟧\"",
    "client_secret: ⟦k7m2p9q4w8⟧",
    "passphrase: \"⟦lemon harbor violin cactus⟧\"",
    // Phrases that open a wallet.
    "Our seed phrase: ⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe zebra⟧",
    "Seed phrase: ⟦any can choose have random that this what when will word you⟧",
    "Seed phrase: ⟦lemon harbor this cactus pepper will garden ladder you olive any zebra⟧ and you must never share it",
    "mnemonic: ⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe please⟧. Keep it safe.",
    "Seed Phrase: ⟦Lemon Harbor Violin Cactus Pepper Window Garden Ladder Tiger Olive Canoe Zebra⟧",
    "RECOVERY PHRASE: ⟦LEMON HARBOR VIOLIN CACTUS PEPPER WINDOW GARDEN LADDER TIGER OLIVE CANOE ZEBRA⟧",
    "My seed phrase (12 words) is ⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe zebra⟧.",
    "Recovery phrase for my wallet: ⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe zebra⟧",
    "Seed phrase:\n1. ⟦lemon\n2. harbor\n3. violin\n4. cactus\n5. pepper\n6. window\n7. garden\n8. ladder\n9. tiger\n10. \
     olive\n11. canoe\n12. zebra⟧\n\nKeep it safe.",
    "Seed phrase: 1) ⟦Lemon 2) Harbor 3) Violin 4) Cactus 5) Pepper 6) Window 7) Garden 8) Ladder 9) Tiger 10) Olive 11) \
     Canoe 12) Zebra⟧ Never share that with someone",
    "Seed phrase:\n- ⟦lemon\n- harbor\n- violin\n- cactus\n- pepper\n- window\n- garden\n- ladder\n- tiger\n- olive\n\
     - canoe\n- zebra⟧\nKeep it safe.",
    "MNEMONIC=\"⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe zebra⟧\"",
    "{\"mnemonic\":\"⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe zebra⟧\"}",
    "seed_phrase = [\"⟦lemon\", \"harbor\", \"violin\", \"cactus\", \"pepper\", \"window\", \"garden\", \"ladder\", \
     \"tiger\", \"olive\", \"canoe\", \"zebra⟧\"]",
    "Seed phrase: ⟦lemon,harbor,violin,cactus,pepper,window,garden,ladder,tiger,olive,canoe,zebra⟧.",
    "The mnemonic phrase is ⟦lemon harbor violin cactus pepper window garden ladder tiger olive canoe zebra lemon harbor \
     violin cactus pepper window garden ladder tiger olive canoe zebra⟧ there.",
    // Sentences.
    "My password is ⟦hunter22⟧, can you log in?",
    "The password for the guest network is ⟦tiger99⟧.",
    "The password was ⟦48151623⟧ until May.",
    "user admin, password ⟦Tr0ub4dor&3⟧",
    "user bob pass ⟦tiger99⟧",
    "username: bob, pw: ⟦tiger99⟧",
    "login: admin / ⟦tiger99⟧",
    "Log in with admin/⟦tiger99⟧ and look.",
    "Log in with ann@example.org / ⟦tiger99⟧ and look.",
    "Log in with ann:⟦tiger99⟧ and look.",
    "Log in as ann/⟦tiger99⟧ and look.",
    "Credentials:\nann:⟦tiger99⟧",
    "Zugangsdaten: ann99@example.org:⟦tiger99⟧",
    "Credentials: ann@example.org | ⟦tiger99⟧",
    "user/pass: bob/⟦Kuchen2024⟧",
    "User/Password = bob / ⟦Kuchen2024⟧",
    "username and password are bob/⟦Kuchen2024⟧.",
    "login/pw: bob:⟦Kuchen2024⟧",
    "Benutzer/Passwort: bob | ⟦Kuchen2024⟧",
    // Other languages.
    "Das Passwort ist ⟦tiger99⟧.",
    "Das Passwort lautet „⟦Sonne99⟧“, bitte ändern.",
    "Kennwort: ⟦Sonne99⟧",
    "Zugangsdaten: ann / ⟦Sonne99⟧",
    "Benutzer ann, Passwort ⟦Sonne99⟧",
    "Le mot de passe est ⟦soleil24⟧.",
    "Mot de passe : « ⟦soleil24⟧ »",
    "mot de passe\u{a0}: «\u{a0}⟦soleil24⟧\u{a0}»",
    "mdp : ⟦soleil24⟧",
    "La contraseña es ⟦girasol7⟧.",
    "Contraseña: «⟦girasol7⟧»",
    "clave: ⟦girasol77⟧",
    "密码：⟦tiger99⟧",
    "密码是“⟦tiger99⟧”，请保密。",
    "パスワードは「⟦tiger99⟧」です",
    "şifre: ⟦Kuchen2024⟧",
    "Şifrem: ⟦Kuchen2024⟧",
    "şifre ⟦Kuchen2024⟧ oldu.",
    "parola: ⟦Kuchen2024⟧",
    "Parolam: ⟦Kuchen2024⟧",
    "كلمة المرور: ⟦Kuchen2024⟧",
    "كلمة السر هي ⟦Kuchen2024⟧",
    "كلمة المرور الخاصة بي هي ⟦Kuchen2024⟧",
    "पासवर्ड: ⟦Kuchen2024⟧",
    "मेरा पासवर्ड ⟦Kuchen2024⟧ है।",
    "mật khẩu: ⟦Kuchen2024⟧",
    "Mật khẩu của tôi là ⟦Kuchen2024⟧.",
    "รหัสผ่าน: ⟦Kuchen2024⟧",
    "รหัสผ่านคือ ⟦Kuchen2024⟧",
    "סיסמה: ⟦Kuchen2024⟧",
    "הסיסמה היא ⟦Kuchen2024⟧.",
    "Κωδικός: ⟦Kuchen2024⟧",
    "Ο κωδικός πρόσβασης είναι ⟦Kuchen2024⟧.",
    "heslo: ⟦Kuchen2024⟧",
    "Heslo je ⟦Kuchen2024⟧.",
    "Heslo k wifi: ⟦Kuchen2024⟧",
    "jelszó: ⟦Kuchen2024⟧",
    "A jelszavam: ⟦Kuchen2024⟧",
    "parolă: ⟦Kuchen2024⟧",
    "Parola mea este ⟦Kuchen2024⟧.",
    "пароль: ⟦Kuchen2024⟧",
    "парола: ⟦Kuchen2024⟧",
    "kata sandi: ⟦Kuchen2024⟧",
    "Kata sandi saya adalah ⟦Kuchen2024⟧.",
    "lösenord: ⟦Kuchen2024⟧",
    "Lösenordet är ⟦tiger99⟧.",
    "Lösenordet till routern är ⟦Kuchen2024⟧.",
    "salasana: ⟦Kuchen2024⟧",
    "Salasanani on ⟦Kuchen2024⟧.",
    "Adgangskoden er ⟦Kuchen2024⟧.",
    "passord: ⟦Kuchen2024⟧",
    "Passordet er ⟦tiger99⟧.",
    // Codes.
    "Recovery code: ⟦k7m2p-9q4w8⟧",
    "My recovery codes for the forge are:\n⟦k7m2p-9q4w8\nabcde-fghij\nr5t6y-u7i8o⟧\nKeep them.",
    "Backup codes:\n1. ⟦4821 7736\n2. 9914 2205⟧",
    "Wiederherstellungscode: ⟦k7m2p-9q4w8⟧",
    "code de récupération : ⟦k7m2p-9q4w8⟧",
    "恢复代码：⟦k7m2p-9q4w8⟧",
];

/// Lines that stay as they are.
const LEFT: &[&str] = &[
    // Sentences.
    "I forgot my password yesterday.",
    "The password is stored hashed.",
    "The password is wrong, and the token is expired.",
    "The password is required. Is the password optional?",
    "password: required",
    "Password: optional",
    "pass: 12 of 14 tests",
    "Pass: test_login2x and test_logout3y",
    "--- PASS: TestMasker2 (0.01s)",
    "PASS: test-strtod12",
    "12 pass, 3 fail; pass rate: 80%",
    "The password is base64-encoded, and the other password is sha256 of it.",
    "The password is 12characters long. Password: 8chars at least.",
    "The password is at least 8 characters, and its hash: pbkdf2.",
    "A password is like a toothbrush: change it every 6 months.",
    "My password is the name of my cat.",
    "The user enters a password and the server compares it.",
    "Use a password manager; the login page shows a password field.",
    "The login is with OAuth2/SAML2 there.",
    "Credentials:\nEmail: ann99@gmail.com",
    "Credentials:\nEmail:ann99@gmail.com",
    "Credentials:\nUser: ann1999\nHost: server01",
    "Credentials:\nUser:ann1999\nHost:server01",
    "Credentials: ann99@gmail.com.",
    "Credentials: ann99@db1.example.org:5432",
    "Credentials: staging/ann99@example.org",
    "Log in with ssh: ann@server01",
    "Log in with ssh:ann@server01",
    "Login: https://server01.example.org:8443/start2",
    "Login with google/apple2024 and look.",
    "The password is v2beta11, and the password was v10rc2.",
    "mnemonic: every good boy deserves fudge",
    "The mnemonic is: every good boy deserves fudge and all cows eat grass, which gives the notes between lines.",
    "Your seed phrase is what opens your wallet, which nobody else should ever have seen before.",
    "The seed phrase: twelve words that the wallet chooses, which you should write down on paper.",
    "Log in with your name and password.",
    "The passphrase: please choose something that nobody could guess.",
    "The passphrase is one of the most important things.",
    "Das Passwort ist falsch.",
    "Das Passwort ist mindestens 12zeichen lang.",
    "Ich habe mein Passwort vergessen.",
    "Le mot de passe est incorrect.",
    "La contraseña es obligatoria.",
    "La clave: entender la pregunta.",
    "密码是6到12位",
    "密码错误，请重试。",
    "パスワードは必須です",
    "Şifremi unuttum, bana yeni bir şifre gönderin.",
    "Parola en az 8 karakter olmalıdır.",
    "نسيت كلمة المرور الخاصة بي.",
    "كلمة المرور: مطلوبة",
    "मैं अपना पासवर्ड भूल गया।",
    "Tôi quên mật khẩu rồi. Mật khẩu là bắt buộc.",
    "ฉันลืมรหัสผ่าน",
    "שכחתי את הסיסמה שלי.",
    "Ο κωδικός είναι λάθος.",
    "Zapomněl jsem heslo. Heslo je špatně, heslo: povinné.",
    "Elfelejtettem a jelszót. A jelszó: legalább 8 karakter.",
    "Parola este greșită.",
    "Я забув пароль.",
    "Kata sandi saya adalah rahasia.",
    "Lösenordet är fel.",
    "Salasana on väärä.",
    "Adgangskoden er forkert. Passordet er feil.",
    "user/pass: see the vault of the team",
    "username/password: required/optional",
    "user/password: admin/password",
    "User and password are stored in the vault/wiki.",
    // Placeholders.
    "curl -u user:password https://example.org",
    "curl -u <user>:<password> https://example.org",
    "curl -u $USER:$PASS https://example.org",
    "curl -u \"${USER}:${PASSWORD}\" https://example.org",
    "curl -u bob https://example.org",
    "mysql -u root -p shop",
    "mysql -u root -p3306 shop",
    "curl --user-agent=\"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101\" https://example.org",
    "curl --user-agent \"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101\" https://example.org",
    "if DB_PASSWORD==None: and if DB_PASSWORD!=None: raise",
    "if SMTP_PASS==default: raise",
    "mysql -u root -p$MYSQL_ROOT_PASSWORD shop",
    "mysql -u root -p\"$(cat secret.txt)\" shop",
    "sshpass -p \"$PASS\" ssh pi@10.0.0.7",
    "sshpass -p takes the password as an argument.",
    "docker login -p is insecure, use --password-stdin.",
    "docker login --username ann --password-stdin < token.txt",
    "redis-cli -a $REDIS_PASSWORD ping",
    "redis-cli -a <password> ping",
    "mount -o username=bob,credentials=/etc/.smb //nas/photos /mnt",
    "mount -o username=<user>,password=<password> //nas/photos /mnt",
    "mount -o username=$USER,password=$PASS //nas/photos /mnt",
    "DB_PASSWORD=mysecret",
    "DB_PASSWORD=my-secret-pw",
    "DB_PASSWORD=clientSecret",
    "DB_PASSWORD=topsecret",
    "DB_PASSWORD=db_secret",
    "curl -u bob:accesstoken https://example.org",
    "az login -p /home/ann/cert.pem",
    "docker run -p 8080:80 web",
    "mkdir -p Mandarin99 && mysql -V",
    "PGPASSWORD=$PASSWORD psql",
    "DB_PASSWORD=your_password",
    "DB_PASSWORD=xxxxxxxx",
    "DB_PASSWORD=********",
    "DB_PASSWORD=example",
    "DB_PASSWORD=<password>",
    "DB_PASSWORD=${PASSWORD}",
    "DB_PASSWORD=config.database.password",
    "DB_PASSWORD=os.environ[\"DB_PASSWORD\"]",
    "--password=<password> --token=$TOKEN --api-key=YOUR_API_KEY",
    "--token=$TOKEN --api-key YOUR_API_KEY",
    "The option --password sets the password, and --token shows one.",
    "Server=db1;User Id=ann;Password={password};",
    "Server=db1;User Id=ann;Password=<password>;",
    "machine <host> login <user> password <password>",
    "Machine learning and login pages need no password reset.",
    "localhost:5432:5432",
    "arn:aws:logs:*:*:*:group:abc12345",
    "pass: 0x1f2e3d4c",
    "Authorization: Basic <base64>",
    "Basic understanding of Basic authentication and basic functionality.",
    "password: <password>",
    "password: ${PASSWORD}",
    "\"password\": \"****\"",
    "\"password\": \"string\"",
    "\"password\": \"The password of the user\"",
    "password = get_password()",
    "password = hash2.digest(salt)",
    "password: String, token: String",
    "pass: user.pass, pw: config.pw",
    "The recovery codes: keep them in a safe place.",
    "Recovery codes are ten words or numbers.",
    "The verification code is 6 digits long.",
    "error code: 482913, zip code: 80331",
    "IDENTIFIED BY '<password>'",
];

/// A line that was said, its secret, and what stands before and behind the secret.
struct Line {
    said: String,
    secret: &'static str,
    before: &'static str,
    after: &'static str,
}

fn lines() -> Vec<Line> {
    let line = |line: &&'static str| {
        let (before, rest) = line.split_once('⟦').unwrap();
        let (secret, after) = rest.split_once('⟧').unwrap();
        Line { said: format!("{before}{secret}{after}"), secret, before, after }
    };
    MASKED.iter().chain(programs::MASKED).map(line).collect()
}

/// Lines that stay as they are.
fn left() -> Vec<&'static str> {
    LEFT.iter().chain(programs::LEFT).copied().collect()
}

/// Whether a text is what stands around a secret, with one mask of any kind in its place.
fn has_one_mask(found: &str, line: &Line) -> bool {
    let mask = found.strip_prefix(line.before).and_then(|rest| rest.strip_suffix(line.after));
    mask.is_some_and(|mask| mask.starts_with("[secret: ") && mask.find(']') == Some(mask.len() - 1))
}

#[test]
fn a_secret_in_its_place_is_masked_and_the_line_around_it_stays_byte_for_byte() {
    let lines = lines();
    assert!(lines.len() >= 120, "{} lines", lines.len());
    let wrong = lines.iter().filter(|line| !has_one_mask(&masked(&line.said), line));
    let wrong: Vec<String> = wrong.map(|line| format!("{}\n  gave {}", line.said, masked(&line.said))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sentences_about_passwords_placeholders_and_code_stay() {
    let lines = left();
    assert!(lines.len() >= 120, "{} lines", lines.len());
    let wrong = lines.iter().filter(|line| masked(line) != **line);
    let wrong: Vec<String> = wrong.map(|line| format!("{line}\n  gave {}", masked(line))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_password_that_is_a_word_is_masked_in_its_place_alone_and_one_with_digits_wherever_it_is_said_again() {
    let text = "sshpass -p raspberry ssh pi@10.0.0.7, where the raspberry is.";
    assert_eq!(masked(text), "sshpass -p [secret: password] ssh pi@10.0.0.7, where the raspberry is.");
    let text = "sshpass -p raspberry77 ssh pi@10.0.0.7, which asks for raspberry77.";
    assert_eq!(masked(text), "sshpass -p [secret: password] ssh pi@10.0.0.7, which asks for [secret: password].");
}

#[test]
fn two_passwords_of_a_line_are_masked_each() {
    let text = "curl -u bob:mandarin --proxy-user ann:raspberry https://git.example.org && mysql -pmandarin shop";
    let expected = "curl -u bob:[secret: password] --proxy-user ann:[secret: password] https://git.example.org \
                    && mysql -p[secret: password] shop";
    assert_eq!(masked(text), expected);
}

#[test]
fn a_secret_in_its_place_is_masked_within_more_lines() {
    for line in lines() {
        let text = format!("Hello,\n\n{}\n\nWhat does this do?", line.said);
        let found = masked(&text);
        assert!(!found.contains(line.secret), "{found}");
        assert!(found.starts_with("Hello,\n\n") && found.ends_with("\n\nWhat does this do?"), "{found}");
    }
}

/// Parts of the lines above, cut anywhere, in any order, with masks and anything else between them.
fn anything() -> impl Strategy<Value = String> {
    let said = || select(lines().into_iter().map(|line| line.said).collect::<Vec<_>>());
    let cut = (said(), 0..40_usize, 1..60_usize)
        .prop_map(|(said, from, size)| said.chars().skip(from).take(size).collect::<String>());
    let mask = select(vec!["[secret: password]", "[secret: recovery-code]", "[secret: credential]"]);
    let piece = prop_oneof![
        said(),
        cut,
        mask.prop_map(str::to_owned),
        select(left()).prop_map(str::to_owned),
        "[ \\n\\t\"'`=:.,;@/|&\\\\-]{1,3}",
        "[a-zA-Z0-9]{1,12}",
        "\\PC{0,12}",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn masking_what_was_masked_by_its_place_changes_nothing(text in anything()) {
        let once = masked(&text);
        let twice = MASKER.mask(&once);
        prop_assert_eq!(&twice.text, &once, "{:?}", twice.kinds);
    }

    #[test]
    fn what_stands_on_other_lines_than_a_secret_is_unchanged(
        number in 0..MASKED.len() + programs::MASKED.len(), before in "[a-z äöü,.\n]{0,60}\n\n", after in "\n\n[a-z äöü,.\n]{0,60}",
    ) {
        let lines = lines();
        let line = &lines[number];
        let found = masked(&format!("{before}{}{after}", line.said));
        let within = found.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after));
        prop_assert!(within.is_some_and(|within| has_one_mask(within, line)), "{}", found);
    }

    #[test]
    fn all_that_is_masked_leaves_the_rest_in_order(text in anything()) {
        let found = masked(&text);
        let (mut rest, mut is_in_order) = (text.as_str(), true);
        for (number, kept) in unmasked(&found).into_iter().enumerate() {
            let place = if number == 0 { rest.starts_with(kept).then_some(0) } else { rest.find(kept) };
            is_in_order &= place.is_some();
            rest = place.map_or(rest, |place| &rest[place + kept.len()..]);
        }
        prop_assert!(is_in_order, "{}\n  gave {}", text, found);
    }
}

/// What of a text is no mask.
fn unmasked(text: &str) -> Vec<&str> {
    let parts = text.split("[secret: ").enumerate();
    parts
        .map(|(number, part)| if number == 0 { part } else { part.split_once(']').map_or(part, |(_, kept)| kept) })
        .collect()
}

#[test]
fn time_grows_with_the_commands_and_names_of_a_text_and_no_faster() {
    let cut = |line: &Line, size: usize| line.said.chars().take(size).collect::<String>();
    let cut = lines().into_iter().flat_map(|line| [cut(&line, 8), cut(&line, 24), format!("{} ", line.said)]);
    let dense = [
        "curl ",
        "/curl ",
        "\"curl \"",
        "--",
        "--a-",
        "machine ",
        "login: ",
        "password for ",
        "user a ",
        ":5432:a:b:",
        "mnemonic: ",
        "mnemonic is lemon ",
        "login: a/",
        "curl --user=",
        "הסיסמה היא Kuchen2024.",
        "[secret: password] pass: hunter22 ",
        "[secret: pass: hunter22 ",
    ];
    for piece in cut.chain(dense.into_iter().chain(programs::DENSE).map(str::to_owned)) {
        assert_time_grows_with_the_text(&piece, "");
    }
    for (piece, end) in programs::ENDED {
        assert_time_grows_with_the_text(piece, end);
    }
}
