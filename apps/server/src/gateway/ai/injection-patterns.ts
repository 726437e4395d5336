/**
 * The guard's preset against prompt injection: what attacks say, in several languages, and in the encodings that hide it. A filter for the
 * crude majority, not a proof of innocence; its rates are measured by `conformance/gateway/prompt-injection.json`. Linear-time patterns.
 */

const verb =
  '(?:ignore|disregard|forget|override|bypass|skip|drop|neglect|discard|do not follow|stop following|pay no attention to)';
/** Other words for not keeping to something. */
const letGo =
  '(?:(?:set|put|leave|cast|brush|push) aside|throw (?:away|out)|toss out|scrap|wipe|erase|purge|abandon|let go of|dismiss|overlook|look past|get around|work around|unlearn|nullify|void|suspend|lift|break free (?:of|from)|stop (?:obeying|heeding|following|listening to)|cease (?:obeying|following)|(?:do not|don.?t|never|no longer|need not|no need to) (?:follow|obey|heed|listen to|stick to|abide by|adhere to))';
const rules =
  '(?:instructions?|directions?|prompts?|rules?|directives?|guidelines?|commands?|constraints?|restrictions?|policies|context|training|programming|safeguards?|filters?)';
const earlier =
  '(?:previous|prior|above|earlier|preceding|all|any|your|the|these|those|system|initial|original|foregoing|safety|content|everything|my|of|other|and|current|security)';

/** Whose rules: those that the model had before. */
const given =
  '(?:(?:whatever|everything|anything|all(?: that)?|what) (?:(?:you (?:were|are|have been|had been|.?ve been|got))|(?:they|(?:the|your) (?:developers?|creators?|makers?|company|operators?|system)|openai|anthropic|google)(?: ha(?:s|ve|d))?) (?:ever )?(?:told|instructed|ordered|taught|given|said|programmed|configured|trained|asked|set)\\b)';
const yours =
  '(?:(?:the|all|any|your|these|those|my|its|of|previous|prior|earlier|preceding|above|initial|original|old|former|system|safety|existing|current|hidden|internal|own|built-in|usual|normal)\\s+)';
const fromNow =
  '(?:from (?:now|here|this (?:point|moment))(?: on(?:wards?)?)?|starting now|as of (?:now|today)|henceforth|going forward)';
const model = '(?:ai|a\\.i\\.|llm|language models?|chat ?bots?|(?:ai |virtual |digital )?assistants?|agents?|bots?)';
const unbound =
  '(?:limits?|limitations?|rules?|restrictions?|morals?|morality|ethics|ethical (?:limits?|guidelines?)|filters?|guidelines?|boundaries|constraints?|censorship|safeguards?|guardrails?|content polic(?:y|ies)|inhibitions?)';

/** Matched without regard to case, after `plainForms`. */
export const injectionPatterns: readonly string[] = [
  // What the model was told is let go of, or is said not to hold any more.
  `${letGo}\\s+${yours}{1,5}${rules}`,
  `(?:${verb}|${letGo})\\s+(?:about\\s+)?${given}`,
  `(?:(?:your|system|safety)\\s+(?:\\w+\\s+){0,2}${rules}|(?:previous|prior|earlier|preceding|initial|original|old|former)\\s+(?:\\w+\\s+)?(?:instructions?|prompts?|directives?|constraints?|restrictions?|safeguards?|programming|training))\\b.{0,40}\\b(?:(?:no longer|do not|don.?t|does not|doesn.?t) (?:apply|count|matter|bind|hold|exist)|(?:is|are|was|were|(?:has|have) been)(?: now| hereby| all)* (?:null|void|cancel+ed|revoked|rescinded|suspended|lifted|obsolete|superseded|overridden|replaced|withdrawn|disabled|deactivated|deleted|invalid))`,
  // Somebody else is to be obeyed.
  `${fromNow}\\b.{0,40}\\b(?:you (?:(?:will|must|shall|should|are to|only|just|exclusively) )*(?:obey|answer to|take orders from|serve|listen (?:only |just )?to|follow (?:only|just)|do (?:only|exactly|whatever|everything|anything))|(?:only|just) (?:obey|follow|listen to|answer to)|your (?:only|sole|new|real|true) (?:goal|task|purpose|job|master|objective|mission|role|rules?|instructions?))`,
  `(?:obey|listen to|take orders from|answer to) (?:only me|me (?:only|alone|and nobody|and no one)|nobody (?:else )?but me)`,
  // What it was told is asked for in other words.
  `(?:what|which)\\b.{0,20}\\b(?:instructions?|rules|guidelines|directives|prompt|words|text|message|orders)\\b.{0,15}\\b(?:were|was|did|have|had|do)\\b.{0,15}\\b(?:you|they|your (?:developers?|creators?|makers?))\\b.{0,20}\\b(?:given|told|get|receive|start|begin|write|set|hidden|shown)`,
  `(?:copy|paste|quote|reproduce|spell out|type(?: out)?|list|read (?:back|out|aloud)|write (?:down|out)|transcribe|paraphrase|rephrase|reveal|uncover|expose|print|show|give|tell)\\b.{0,40}\\b(?:your|its|the model.?s|the assistant.?s)\\s+(?:\\w+\\s+){0,2}(?:system|hidden|secret|initial|original|internal|developer|starting|first|underlying|confidential|core)\\s+(?:\\w+\\s+)?(?:prompts?|messages?|instructions?|rules?|texts?|directives?|guidelines?|configuration|context|preamble)`,
  `(?:text|words|content|everything|messages?|lines?|paragraphs?|instructions?)\\b.{0,20}\\b(?:comes?|came|appears?|stands?|written|placed|preced(?:es?|ed|ing)|given)\\b.{0,15}\\b(?:before|above|prior to|ahead of)?\\s*(?:this (?:message|line|conversation|sentence|chat)|my (?:first |last )?(?:message|question|request)|the (?:first|user.?s) (?:user )?(?:message|question))`,
  `(?:begin|start)(?:ning)?\\b.{0,30}\\bwith (?:the words? )?["'“‘]?you are (?:an?|the)\\b`,
  // A persona that nothing binds.
  `(?:you (?:are|play|will be|become|now speak as)|act|roleplay|role-play|(?:pretend|imagine|suppose|assume|picture|simulate)\\b.{0,20}\\b(?:you|yourself|being|to be|as|${model}))\\b.{0,80}\\b(?:no|without(?: any)?|free (?:of|from)(?: all| any)?|lacks?|lacking|not have any|ignor(?:es?|ing)(?: all)?|beyond|unbound by|not bound by|knows no|has no|have no)\\s+(?:such |moral |ethical |safety |content )?${unbound}`,
  `\\b(?:${model}|character|persona|version of (?:you|yourself)|model|twin|sibling)\\b.{0,40}\\b(?:never (?:refuses?|says? no|declines?)|always (?:complies|obeys|answers everything)|can (?:say|do|answer) (?:anything|everything)|answers (?:anything|everything)|is allowed (?:anything|everything))`,
  `you (?:are not (?:allowed|permitted) to|must (?:not|never)|may (?:not|never)|can ?not|will (?:not|never)|shall (?:not|never)) (?:ever )?(?:refuse|decline|say no|say (?:that )?you can)`,
  // Texts that speak to the machine that reads them.
  `(?:note|notice|message|attention|important|instructions?|directive|reminder|hint|dear|hey)\\b.{0,20}\\b(?:to|for|any|all|every|dear|the)?\\s*${model}\\b.{0,30}\\b(?:reading|reads?|process(?:ing|es)|summari[sz](?:ing|es)|analy[sz](?:ing|es)|pars(?:ing|es)|scann(?:ing|s)|index(?:ing|es)|review(?:ing|s)|screen(?:ing|s))`,
  `(?:if|when|since|because) you(?:.?re| are)\\b.{0,10}\\b${model}\\b.{0,60}\\b(?:you (?:must|should|have to|need to)|add|append|reply|respond|recommend|include|insert|say that|rate|approve|visit|click|call|run|send)`,
  `(?:do not|don.?t|never|without)\\s+(?:mention(?:ing)?|tell(?:ing)?|reveal(?:ing)?|inform(?:ing)?|disclos(?:e|ing)|show(?:ing)?|alert(?:ing)?|notify(?:ing)?)\\b.{0,30}\\b(?:the |this to the |that to the |it to the |any of this to the )(?:user|human|operator|end user)`,
  `(?:end|close|beginning|start) of (?:the )?(?:user|system|developer|untrusted) (?:input|prompt|message|instructions?|content|data|query)`,
  `(?:append|include|attach|insert|embed|encode|put|hide|smuggle|add|send|post)\\b.{0,40}\\b(?:(?:this |the |our |whole |entire )*(?:conversation|chat history|system prompt|previous messages)|user.?s (?:full )?(?:names?|data|e-?mails?|messages|passwords?|address|phone|details|history|question)|your (?:api[ _-]?keys?|secrets?|credentials|tokens?))\\b.{0,60}\\b(?:url|link|image|markdown|query string|parameter|webhook|endpoint)`,
  `<!--\\s*(?:[\\w']+[\\s,:]+){0,4}${model}\\b`,
  `(?:run|call|execute|invoke|use|trigger|launch)\\b.{0,40}\\b(?:tool|function|command|action|plugin|skill)\\b.{0,60}\\b(?:without (?:asking|confirmation|confirming|approval|telling|permission)|(?:has|have) (?:already )?(?:agreed|approved|consented|confirmed|authori[sz]ed))`,
  // What holds the model: its memory, its makers, its checks.
  `(?:clear|wipe|erase|reset|empty|flush|purge) your (?:memory|context|mind|head|state|instructions)\\b`,
  `(?:${letGo}|${verb})\\s+(?:your|the)\\s+(?:creators?|developers?|makers?|owners?|operators?|programmers?|trainers?|handlers?)\\b`,
  `(?:reverse|opposite|contrary|inverse) of (?:your|what your|what you|how you)\\b.{0,30}\\b(?:training|rules|guidelines|instructions|safety|programming|refuse|told|allowed)`,
  `(?:system|admin|root|security|safety|policy|filter) override\\b.{0,60}\\b(?:answer|comply|compliance|respond|unlock\\w*|checks?|disabled?|full|enabled?|off|accepted|granted)`,
  `(?:compliance|safety|content|policy|moderation|ethics)\\s+(?:checks?|filters?|guards?|layers?|modules?)\\s+(?:are |is |now |set to )*(?:off|disabled|inactive|bypassed|suspended)\\b`,
  `(?:text|configuration|words|prompt|settings|context|instructions?|rules?|guidelines?|message)\\b.{0,20}\\byou (?:were|are|got|have been|had been)\\s+(?:started|initiali[sz]ed|set up|loaded|primed|deployed|launched|created|configured|seeded|provided|given)(?: with| by| before|\\b.{0,15}\\b(?:start|beginning|first))`,
  `(?:first|second|next|last|opening|final|\\d+)\\s+(?:\\w+\\s+)?(?:sentences?|words?|lines?|paragraphs?|characters?|tokens?|letters?)\\s+(?:of|in|from) (?:your|the system|the hidden|the initial)\\s+(?:\\w+\\s+)?(?:prompt|instructions?|message|rules|context|configuration)`,
  `(?:guidance|instructions?|text|message|rules|prompt|directives?)\\s+(?:at|in|from|on) (?:the )?(?:very )?(?:top|start|beginning|head) of (?:this|the|our) (?:chat|conversation|session|thread|context|prompt)\\b.{0,60}\\b(?:draft|rejected|wrong|outdated|invalid|fake|mistake|ignored?|not apply|no longer|error|void|obsolete)`,
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
  // A persona without rules, and rules that do not hold any more, in other languages.
  '(?:tu so|stell dir vor|tue so|verhalte dich|antworte|du bist|spiele?)\\b.{0,50}\\b(?:keine(?:rlei|n)?|ohne(?: jede| jegliche)?|frei von)\\s+(?:\\w+\\s+){0,2}(?:regeln|grenzen|einschrankungen|beschrankungen|vorgaben|filter|moral|richtlinien|schranken)',
  '(?:deine|ihre|alle|die)\\s+(?:\\w+\\s+){0,2}(?:anweisungen|regeln|vorgaben|richtlinien|befehle)\\b.{0,30}\\b(?:gelten nicht|aufgehoben|ausser kraft|außer kraft|ungultig|hinfallig|gestrichen)|(?:ab jetzt|ab sofort|von nun an)\\b.{0,30}\\b(?:gehorch\\w*|horst du nur|folgst du nur|befolgst du nur)',
  '(?:fais comme si|imagine|fais semblant|tu es|agis|reponds|joue)\\b.{0,50}\\b(?:aucune?|sans(?: aucune?)?|pas de|plus de)\\s+(?:\\w+\\s+)?(?:regles?|limites?|restrictions?|filtres?|contraintes?|censure|morale)|(?:tes|vos|les)\\s+(?:\\w+\\s+){0,2}(?:instructions|consignes|regles)\\b.{0,30}\\b(?:ne s.appliquent plus|annulees|ne comptent plus|ne valent plus)',
  '(?:finge|fingir|imagina|actua|haz como si|eres|responde|finja|aja|voce e|imagine)\\b.{0,50}\\b(?:no tienes|sin|sem|nao tem|ninguna?|nenhuma?)\\s+(?:\\w+\\s+){0,2}(?:reglas?|regras?|restriccion(?:es)?|restricao|restricoes|limites?|filtros?|censura|etica)|(?:tus|sus|suas|as)\\s+(?:\\w+\\s+){0,2}(?:instrucciones|instrucoes|reglas|regras)\\b.{0,30}\\b(?:ya no|nao valem|anuladas|canceladas|sin efecto|sem efeito)',
  '(?:fingi|immagina|comportati|rispondi|sei)\\b.{0,50}\\b(?:senza|nessuna?|non hai)\\s+(?:\\w+\\s+){0,2}(?:regole|regola|restrizioni|limiti|filtri|censura|vincoli)',
  '(?:представь|притворись|веди себя|отвечай|ты).{0,50}(?:без|нет|не имеешь)\\s+(?:\\S+\\s+){0,2}(?:правил|ограничени|фильтр|запрет|цензур)\\S*|(?:твои|ваши|все|предыдущие)\\s+(?:\\S+\\s+){0,2}(?:инструкции|правила|указания).{0,20}(?:отменены|больше не действуют|недействительны)',
  '(?:你|您).{0,8}(?:没有|不受|不再受|無|沒有|摆脱了).{0,8}(?:限制|约束|规则|規則|束縛|束缚|审查|審查)|(?:之前|以前|先前|原来|以上).{0,6}(?:指令|规则|規則|指示|要求).{0,6}(?:作废|无效|取消|不再适用|失效|作廢|無效)',
  '(?:制限|ルール|規則|フィルター|制約).{0,6}(?:がない|のない|なしで|を受けない|に縛られない)|(?:これまで|以前|前|上記)の.{0,6}(?:指示|命令|ルール).{0,6}(?:無効|取り消|破棄)',
  '(?:제한|규칙|필터|제약).{0,6}(?:없는|없이|받지 않)|이전\\S* .{0,6}(?:지시|명령|규칙).{0,8}(?:무효|취소|적용되지)',
  // What one was told before, in other languages.
  '(?:vergiss|ignorier\\w*|zeig\\w*|nenn\\w*|verrat\\w*|gib|wiederhol\\w*|sag\\w*)\\b.{0,50}\\bwas (?:man|sie|er|wer|deine \\w+) dir\\b.{0,50}\\b(?:mitgeteilt|gesagt|aufgetragen|befohlen|vorgegeben|eingegeben|gegeben|verboten)',
  '(?:oublie\\w*|ignore\\w*|dis(?:-| )moi|revele\\w*|montre\\w*|repete\\w*)\\b.{0,40}\\bce qu.?(?:on|ils) t.?(?:a|ont)\\b.{0,10}\\b(?:dit|demande|ordonne|interdit|donne|impose)',
  '(?:olvid\\w*|ignor\\w*|dime|revel\\w*|muestr\\w*|repit\\w*|esquec\\w*|diga|mostre)\\b.{0,40}\\blo? ?que (?:te|lhe) (?:dijeron|han dicho|ordenaron|pidieron|prohibieron|disseram|mandaram)',
  '(?:dimentica\\w*|ignora\\w*|dimmi|rivela\\w*|mostra\\w*|ripeti)\\b.{0,40}\\b(?:quello|cio|quanto) che ti (?:hanno|e stato)\\b.{0,10}\\b(?:detto|ordinato|chiesto|imposto|vietato)',
  '(?:odrzuc|zignoruj|zapomnij|pomin)\\b.{0,30}\\bco ci\\b.{0,20}\\b(?:nakazano|powiedziano|kazano|polecono)|(?:pokaz|podaj|wypisz|ujawnij)\\b.{0,20}\\b(?:ukryt\\w*|systemow\\w*) (?:tekst|prompt|instrukcj\\w*|polecen\\w*)',
];

/** For texts whose words are torn or run together: without any separators. */
export const squeezedPatterns: readonly string[] = [
  '(?:ignore|disregard|forget|override|bypass|neglect|discard)(?:all|any|the|your|my|of|these|those|previous|prior|earlier|above|preceding|system|safety|original|initial){1,5}(?:instructions?|rules?|prompts?|directives?|guidelines?|restrictions?|filters?|policies)',
  '(?:reveal|show|print|repeat|output|display|leak|disclose|tell)(?:me|us)?(?:all|the|your|its){1,3}(?:full|entire|complete|hidden|secret|initial|original|whole)?(?:systemprompt|systemmessage|hiddeninstructions?|secretinstructions?|initialinstructions?|hiddenprompt|originalinstructions?)',
  'youarenow(?:dan|jailbroken|unrestricted|unfiltered|uncensored)|doanythingnow|developermodeenabled|(?:enable|enter|activate)(?:dan|god|jailbreak|unrestricted)mode',
];
