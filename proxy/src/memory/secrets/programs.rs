//! What programs take as a password among their arguments or from what another command says.
//!
//! Each rule names some programs and says where their password stands. Placeholders, options and what belongs to a
//! sentence are left by the checks.

use super::commands::Argument::{self, Attached, Listed, Operand, Pair, Piped, Separate, Sole};
use super::rule::Anchor::{Start, Word};
use super::rule::Check::{Told, Typed};
use super::rule::Rule;
use super::rule::Secret::{Argument as Arguments, Next, Value};
use super::rule::behind;
use crate::config::SecretKind as Kind;

/// A password among the arguments of one of these commands, whose names this matches with the space behind them.
const fn command(names: &'static [&'static str], lead: &'static str, arguments: &'static [Argument]) -> Rule {
    behind(Kind::Password, Start(names), lead, Arguments(arguments)).checked(Typed)
}

/// What stands behind this as a password, which has digits.
const fn told(names: &'static [&'static str], lead: &'static str) -> Rule {
    behind(Kind::Password, Start(names), lead, Value).checked(Told)
}

/// The rules; where two find the same bytes the first one names the kind.
pub(super) const PROGRAMS: &[Rule] = &[
    // Downloads and mounts.
    command(
        &["curl"],
        r"(?i:curl)[ \t]",
        &[Pair("-u", b':'), Pair("--user", b':'), Pair("-U", b':'), Pair("--proxy-user", b':')],
    ),
    command(&["http", "https", "xh"], r"(?i:http|https|xh)[ \t]", &[Pair("-a", b':'), Pair("--auth", b':')]),
    command(&["lftp"], r"(?i:lftp)[ \t]", &[Pair("-u", b',')]),
    command(&["smbclient", "rpcclient"], r"(?i:smbclient|rpcclient)[ \t]", &[Pair("-U", b'%')]),
    command(&["mount"], r"(?i:mount)(?:[._][a-z0-9]{1,8})?[ \t]", &[Listed("-o", &["password=", "pass=", "passwd="])]),
    // Databases.
    command(
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mysqlsh",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
            "7z",
            "7za",
            "rar",
            "unrar",
        ],
        concat!(r"(?i:mysql(?:dump|admin|import|check|sh)?|mariadb(?:-dump|-admin)?", r"|7za?|(?:un)?rar)[ \t]"),
        &[Attached("-p"), Attached("-hp")],
    ),
    command(
        &["mysqladmin", "mariadb-admin"],
        r"(?:mysql|mariadb-)admin[ \t]",
        &[Separate("password"), Separate("newpassword")],
    ),
    command(
        &["redis-cli", "valkey-cli"],
        r"(?i:redis-cli|valkey-cli)[ \t]",
        &[Separate("-a"), Separate("--pass"), Separate("AUTH")],
    ),
    behind(
        Kind::Password,
        Word(&["sqlplus", "impdp", "expdp", "sqlldr"]),
        r"(?i:sqlplus|impdp|expdp|sqlldr)(?: -[A-Za-z]{1,4}){0,3} [^\s/@]{1,64}/",
        Next(r#"[^\s@"'`]{4,128}"#),
    )
    .checked(Typed),
    behind(
        Kind::Password,
        Word(&["identified by", "with password", "encrypted password"]),
        r"(?i:identified by|with password|encrypted password)\s{1,2}(?i:as\s)?'",
        Next(r"[^'\n]{4,128}"),
    )
    .checked(Typed),
    // Programs whose option has the same name.
    command(
        &[
            "sshpass",
            "docker login",
            "podman login",
            "nerdctl login",
            "buildah login",
            "skopeo login",
            "helm registry login",
            "oc login",
            "az login",
            "cf login",
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoexport",
            "mongoimport",
            "cqlsh",
            "rdesktop",
            "evil-winrm",
            "crackmapexec",
            "netexec",
            "nxc",
            "hydra",
            "useradd",
            "usermod",
            "security unlock-keychain",
            "ncftp",
            "ncftpput",
            "ncftpget",
        ],
        concat!(
            r"(?i:sshpass|(?:docker|podman|nerdctl|buildah|skopeo|helm registry|oc|az|cf) login",
            r"|mongo(?:sh|dump|restore|export|import)?|cqlsh|rdesktop|evil-winrm|crackmapexec",
            r"|netexec|nxc|hydra|user(?:add|mod)|security unlock-keychain|ncftp(?:put|get)?)[ \t]"
        ),
        &[Separate("-p"), Separate("--password"), Attached("-p")],
    ),
    command(&["certutil", "psexec"], r"(?i:certutil|psexec(?:64)?)(?:\.exe)?[ \t]", &[Sole("-p")]),
    command(
        &["gpg", "gpg2", "svn", "wget", "aria2c", "gcloud", "az", "aws", "keepassxc-cli", "x11vnc", "restic", "argocd"],
        r"(?i:gpg2?|svn|wget|aria2c|gcloud|az|aws|keepassxc-cli|x11vnc|restic|argocd)[ \t]",
        &[
            Separate("--passphrase"),
            Separate("--password"),
            Separate("--http-password"),
            Separate("--ftp-password"),
            Separate("--proxy-password"),
            Separate("--http-passwd"),
            Separate("--ftp-passwd"),
            Separate("-passwd"),
        ],
    ),
    command(
        &["sqlcmd", "bcp", "osql", "zip", "unzip", "mosquitto_pub", "mosquitto_sub", "ipmitool"],
        r"(?i:sqlcmd|bcp|osql|(?:un)?zip|mosquitto_(?:pub|sub)|ipmitool)[ \t]",
        &[Separate("-P"), Attached("-P")],
    ),
    command(&["ssh-keygen"], r"ssh-keygen[ \t]", &[Separate("-N"), Separate("-P")]),
    command(
        &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldappasswd", "kadmin"],
        r"(?:ldap(?:search|add|modify|delete|whoami|passwd)|kadmin)[ \t]",
        &[Separate("-w")],
    ),
    command(&["ldappasswd"], r"ldappasswd[ \t]", &[Separate("-s"), Separate("-a")]),
    command(&["security"], r"security add-(?:generic|internet)-password[ \t]", &[Separate("-w")]),
    command(&["plink", "pscp", "psftp", "putty"], r"(?i:plink|pscp|psftp|putty)(?:\.exe)?[ \t]", &[Separate("-pw")]),
    command(
        &["snmpwalk", "snmpget", "snmpset", "snmpbulkwalk", "snmptrap"],
        r"snmp(?:walk|get|set|bulkwalk|trap)[ \t]",
        &[Separate("-A"), Separate("-X")],
    ),
    command(
        &["pdftk", "pdftotext", "pdftoppm", "pdfimages", "qpdf"],
        r"(?:pdftk|pdfto(?:text|ppm)|pdfimages|qpdf)[ \t]",
        &[
            Separate("user_pw"),
            Separate("owner_pw"),
            Separate("input_pw"),
            Separate("-upw"),
            Separate("-opw"),
            Separate("--encrypt"),
        ],
    ),
    command(
        &["keytool", "jarsigner"],
        r"(?i:keytool|jarsigner)[ \t]",
        &[
            Separate("-storepass"),
            Separate("-keypass"),
            Separate("-srcstorepass"),
            Separate("-deststorepass"),
            Separate("-srckeypass"),
            Separate("-destkeypass"),
            Separate("-new"),
        ],
    ),
    command(&["openssl"], r"openssl[ \t]", &[Attached("pass:"), Sole("-k"), Sole("-K")]),
    command(
        &["openssl"],
        r"openssl passwd(?:[ \t]{1,4}-(?:salt[ \t]{1,4}\S{1,32}|[0-9a-z]{1,8})){1,4}[ \t]",
        &[Operand(0, "")],
    ),
    // Networks.
    command(
        &["nmcli"],
        r"nmcli[ \t]",
        &[
            Separate("password"),
            Separate("wifi-sec.psk"),
            Separate("802-11-wireless-security.psk"),
            Separate("802-1x.password"),
        ],
    ),
    command(&["netsh"], r"(?i:netsh)(?:\.exe)?[ \t]", &[Attached("keyMaterial=")]),
    command(&["iwconfig"], r"iwconfig[ \t]", &[Attached("s:")]),
    command(&["wpa_passphrase"], r"wpa_passphrase[ \t]", &[Operand(1, "")]),
    // Windows.
    command(
        &["cmdkey", "wmic", "xfreerdp", "wfreerdp", "schtasks"],
        r"(?i:cmdkey|wmic|[xw]freerdp|schtasks)(?:\.exe)?[ \t]",
        &[Attached("/pass:"), Attached("/password:"), Attached("/p:"), Separate("/rp")],
    ),
    command(&["signtool"], r"(?i:signtool)(?:\.exe)?[ \t]", &[Separate("/p")]),
    command(&["sc"], r"(?i:sc)(?:\.exe)? (?i:config|create)[ \t]", &[Separate("password=")]),
    command(&["net"], r"(?i:net)(?:\.exe)? (?i:user)[ \t]", &[Operand(1, "/")]),
    behind(
        Kind::Password,
        Start(&["net"]),
        r#"(?i:net)(?:\.exe)? (?i:user)[ \t]{1,4}(?:"[^"\n]{1,64}"|[^\s"/]{1,64})[ \t]{1,4}"#,
        // What is counted has no letters.
        Next(r#"[0-9]{0,16}[^\s"'`0-9/][^\s"'`]{3,127}"#),
    )
    .checked(Told),
    command(
        &["net"],
        concat!(
            r#"(?i:net)(?:\.exe)? (?i:use)[ \t]{1,4}(?:(?:[A-Za-z]:|\*)[ \t]{1,4})?"#,
            r#"(?:"\\\\[^"\n]{1,200}"|\\\\[^\s"]{1,200})[ \t]"#
        ),
        &[Operand(0, "/user:")],
    ),
    command(&["ConvertTo-SecureString"], r"(?i:ConvertTo-SecureString)[ \t]", &[Operand(0, "-AsPlainText")]),
    // A word at its place.
    command(&["htpasswd"], r"htpasswd(?:[ \t]{1,4}-[A-Za-mo-z0-9]{1,8}){1,5}[ \t]", &[Operand(2, "")]),
    command(
        &["htpasswd"],
        concat!(
            r"htpasswd(?:[ \t]{1,4}-[A-Za-z0-9]{1,8}){0,3}[ \t]{1,4}-[A-Za-z0-9]{0,7}n[A-Za-z0-9]{0,7}",
            r"(?:[ \t]{1,4}-[A-Za-z0-9]{1,8}){0,3}[ \t]"
        ),
        &[Operand(1, "")],
    ),
    command(
        &["rabbitmqctl"],
        r"rabbitmqctl(?:[ \t]{1,4}-\S{1,32}){0,3}[ \t]{1,4}(?:add_user|change_password|authenticate_user)[ \t]",
        &[Operand(1, "")],
    ),
    command(&["dscl"], r"dscl[ \t]{1,4}\S{1,64}[ \t]{1,4}-?passwd[ \t]{1,4}\S{1,64}[ \t]", &[Operand(1, "")]),
    command(&["dscl"], r"dscl[ \t]{1,4}\S{1,64}[ \t]{1,4}-?passwd[ \t]{1,4}\S{1,64}[ \t]", &[Operand(0, "")]),
    command(&["bw"], r"bw login[ \t]{1,4}[^\s@]{1,64}@\S{1,64}[ \t]", &[Operand(0, "")]),
    told(&["bw unlock", "vault login", "rclone obscure"], r"(?:bw unlock|vault login|rclone obscure)[ \t]{1,4}"),
    command(&["vault"], r"vault[ \t]", &[Attached("password="), Attached("passphrase=")]),
    // What is said to a command.
    command(&["echo", "printf", "Write-Output"], r"(?i:echo|printf|Write-Output)[ \t]", &[Piped]),
    command(&["chpasswd"], r"chpasswd[ \t]", &[Pair("<<<", b':')]),
    command(
        &["sudo"],
        concat!(
            r"sudo(?:[ \t]{1,4}(?:-[A-Za-z]{0,5}[ABEHKNPVbeiklnsv]|--[a-z-]{1,20}(?:=[^\s|;&]{0,32})?",
            r"|-[CDRTUaghprtu][^\s|;&]{1,32}|[A-Za-z_][A-Za-z0-9_]{0,31}=[^\s|;&]{0,32}",
            r"|(?:-[A-Za-z]{0,5}[CDRTUaghprtu]|--(?:user|group|prompt|host|chdir|chroot|role|type|other-user))",
            r"[ \t]{1,4}[^\s|;&]{1,32})){0,4}?[ \t]{1,4}(?:-[A-Za-z]{0,5}S|--stdin)[ \t]"
        ),
        &[Separate("<<<"), Attached("<<<")],
    ),
    command(
        &[
            "kinit",
            "cryptsetup",
            "passwd",
            "smbpasswd",
            "docker login",
            "podman login",
            "helm registry login",
            "gh auth login",
        ],
        r"(?:kinit|cryptsetup|(?:smb)?passwd|(?:docker|podman|helm registry|gh auth) login)[ \t]",
        &[Separate("<<<"), Attached("<<<")],
    ),
];
