/**
 * The guard's preset against prompt injection: what attacks say, in several languages, and in the encodings that hide it. A filter for the
 * crude majority, not a proof of innocence; its rates are measured by `conformance/gateway/prompt-injection.json`. Linear-time patterns.
 */

const verb =
  '(?:ignore|disregard|forget|override|bypass|skip|drop|neglect|discard|do not follow|stop following|pay no attention to)';
const rules =
  '(?:instructions?|directions?|prompts?|rules?|directives?|guidelines?|commands?|constraints?|restrictions?|policies|context|training|programming|safeguards?|filters?)';
const earlier =
  '(?:previous|prior|above|earlier|preceding|all|any|your|the|these|those|system|initial|original|foregoing|safety|content|everything|my|of|other|and|current|security)';

/** Matched without regard to case, after `plainForms`. */
export const injectionPatterns: readonly string[] = [
  `${verb}\\s+(?:${earlier}\\s+){1,6}${rules}`,
  `${verb}\\s+(?:everything|all|anything)\\s+(?:above|before|prior|previous|that came before|you (?:were|have been) told|i said)`,
  `(?:new|updated|real|actual|revised)\\s+(?:system\\s+)?(?:instructions?|prompt|directive|task)\\s*(?::|is\\b|are\\b|follow)`,
  `you are (?:now|no longer|from now on)\\s+(?:in\\s+)?(?:an?\\s+|the\\s+)?(?:dan|jailbroken|unrestricted|unfiltered|evil|developer mode|god mode|admin|root|bound|free|uncensored|restricted|an assistant)`,
  '(?:act|behave|respond|answer|pretend|roleplay|role-play|simulate)\\b.{0,80}\\b(?:without (?:any )?(?:restrictions?|filters?|rules|limits|limitations|censorship|ethics|guidelines|moral)|no (?:restrictions?|filters?|rules|limits|limitations)|unrestricted|unfiltered|uncensored|jailbroken|as dan\\b)',
  '\\bdo anything now\\b|\\bas dan\\b|\\bdan mode\\b|\\bdeveloper mode\\b.{0,30}\\b(?:enabled?|on|activated?|output)\\b|\\bjailbreak(?:ed)?\\b.{0,20}\\b(?:mode|yourself|prompt|enabled)\\b|\\b(?:enable|enter|activate|switch to)\\b.{0,20}\\b(?:debug|god|dan|sudo|maintenance|unrestricted|jailbreak) mode\\b',
  '(?:reveal|show|print|repeat|output|display|tell me|give me|leak|dump|expose|write out|echo|return|share|what (?:is|are|was|were)|recite|disclose|translate|encode|summari[sz]e)\\b.{0,40}\\b(?:your|the|its)\\s+(?:\\w+\\s+)?(?:system prompt|system message|hidden (?:prompt|instructions?|rules?)|initial (?:prompt|instructions?)|original (?:prompt|instructions?)|secret instructions?|developer (?:message|prompt)|pre-?prompt|confidential instructions?|instructions? (?:verbatim|you were given))',
  '(?:repeat|print|output|copy|write)\\b.{0,30}\\b(?:everything|all (?:the )?(?:text|words)|the (?:text|words|lines?))\\b.{0,20}\\b(?:above (?:this|here|verbatim|word|in full)|before this|starting with)',
  '(?:<\\|?(?:im_start|im_end|system|endoftext)\\|?>|\\[/?inst\\]|<</?sys>>|\\[system\\]|###\\s*(?:system|instruction)|</?(?:system|instructions?)>|begin system (?:message|prompt))',
  '(?:send|forward|post|exfiltrate|upload|email|transmit)\\b.{0,60}\\b(?:api[ _-]?keys?|passwords?|credentials|secrets?|conversation|chat history|user data|tokens?|environment variables|all (?:the )?(?:emails|files|data))\\b.{0,40}\\b(?:to|at)\\b.{0,5}(?:https?://|\\S+@|attacker|evil)',
  'https?://\\S+\\?\\S*=(?:\\{|\\[|%7b|\\$\\{)\\s*(?:data|secret|conversation|history|prompt|summary|key)',
  '(?:you (?:have|are) (?:no|free (?:of|from)) (?:restrictions?|rules|limits|ethical|moral|guidelines))|(?:disable|turn off|remove|deactivate|switch off)\\b.{0,20}\\b(?:your )?(?:safety|content|ethical|moderation|security)\\s+(?:filters?|checks?|guidelines?|protocols?|measures?|restrictions?|controls?)',
  'hypothetical(?:ly)?\\b.{0,60}\\b(?:no (?:rules|restrictions|ethics)|without (?:rules|restrictions|ethics))',
  "(?:this is|i am|i'm|speaking as)\\s+(?:your|the|an?)\\s+(?:developer|creator|administrator|admin|openai|anthropic|system administrator)\\b.{0,80}\\b(?:override|unlock|disable|ignore|grant|comply|reveal|authori[sz]e)",
  // German
  '(?:ignorier\\w*|vergiss|vergessen sie|missachte\\w*|umgehe\\w*|uberschreibe?\\w*|befolge nicht)\\s+(?:\\w+\\s+){0,4}(?:anweisung\\w*|instruktion\\w*|regel\\w*|vorgabe\\w*|befehl\\w*|richtlinie\\w*|einschrankung\\w*)',
  '(?:zeig\\w*|verrate?|nenn\\w*|gib|wiederhol\\w*|drucke?)\\b.{0,30}\\b(?:system-?prompt\\w*|systemanweisung\\w*|systemnachricht\\w*|versteckte\\w* anweisung\\w*)',
  // French
  '(?:ignore[rz]?|oublie[rz]?|neglige[rz]?|contourne[rz]?|ne (?:suis|tiens|respecte) (?:pas|plus))\\s+(?:\\w+\\s+){0,5}(?:instructions?|consignes?|regles?|directives?|restrictions?)',
  '(?:affiche[rz]?|revele[rz]?|montre[rz]?|donne[rz]?|repete[rz]?)\\b.{0,40}\\b(?:prompt systeme|invite systeme|instructions? (?:cachees?|secretes?|initiales?|systeme)|message systeme)',
  // Spanish and Portuguese
  '(?:ignor[ae]\\w*|olvid[ae]\\w*|esquec[ae]\\w*|desconsider[ae]\\w*|omit[ae]\\w*|no sigas|nao siga)\\s+(?:\\w+\\s+){0,5}(?:instrucciones|instrucoes|reglas|regras|directrices|diretrizes|restricciones|restricoes|ordenes|indicaciones)',
  '(?:muestr[ae]\\w*|revel[ae]\\w*|dime|diga|mostre|imprim[ae]\\w*|repit[ae]\\w*)\\b.{0,40}\\b(?:prompt (?:del|de|do) sistema|instrucciones (?:ocultas|secretas|iniciales|del sistema)|instrucoes (?:ocultas|secretas|iniciais|do sistema)|mensaje del sistema)',
  // Italian, Dutch, Polish
  '(?:ignora\\w*|dimentica\\w*|trascura\\w*)\\s+(?:\\w+\\s+){0,5}(?:istruzioni|regole|direttive|restrizioni)',
  '(?:negeer|vergeet|sla over)\\s+(?:\\w+\\s+){0,4}(?:instructies|regels|aanwijzingen|richtlijnen|opdrachten)',
  '(?:zignoruj|ignoruj|zapomnij|pomin)\\s+(?:\\w+\\s+){0,4}(?:instrukcj\\w*|polecen\\w*|zasad\\w*|regul\\w*|wytyczn\\w*)',
  // Russian, Chinese, Japanese, Korean, Arabic, Hindi, Turkish
  '(?:игнорируй\\S*|забудь\\S*|проигнорируй\\S*|не обращай внимания на|отмени\\S*)\\s+(?:\\S+\\s+){0,4}(?:инструкци\\S*|правил\\S*|указани\\S*|команд\\S*|ограничени\\S*)',
  '(?:покажи|выведи|раскрой|повтори|напиши).{0,30}(?:системн\\S* (?:промпт|сообщени|инструкци)\\S*|скрыт\\S* инструкци\\S*)',
  '(?:忽略|无视|忘记|忘掉|不要遵守|绕过|無視|忽視).{0,12}(?:指令|指示|规则|規則|提示|说明|限制|要求)',
  '(?:显示|告诉我|输出|泄露|重复|打印).{0,12}(?:系统提示|系统指令|隐藏指令|初始指令|系统消息)',
  '(?:指示|命令|ルール|プロンプト|制約|指令).{0,8}(?:無視|忘れ|破棄|従わな)|(?:システムプロンプト|隠された指示).{0,10}(?:表示|教え|出力|見せ)',
  '(?:지시|명령|규칙|지침|프롬프트|제한).{0,8}(?:무시|잊|따르지)|시스템 프롬프트.{0,10}(?:보여|알려|출력|공개)',
  '(?:تجاهل|انس|تخط).{0,20}(?:التعليمات|القواعد|الأوامر|التوجيهات|القيود)',
  '(?:निर्देश|नियम|आदेश).{0,20}(?:अनदेखा|नज़रअंदाज|भूल)',
  '(?:onceki|yukaridaki|tum|butun|sistem)\\s+(?:\\S+\\s+){0,3}(?:talimat\\S*|kural\\S*|komut\\S*|yonerge\\S*)\\s*(?:\\S+\\s+){0,2}(?:yok say|unut|gormezden gel|dikkate alma|goz ardi et)',
];
