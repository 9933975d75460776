"""Texts that are hard on a tokenizer: what shops write, and what Unicode allows."""

import unicodedata

TITLES = """
red dress
A photo of a cat
Women's Midi Dress – Floral Print, V-Neck
MEN'S SLIM-FIT CHINO TROUSERS (Navy)
it's what I'd wear; they'll say we're done, I've seen 'em
IT'S WHAT I'D WEAR; THEY'LL SAY WE'RE DONE
‘curly’ it’s “quoted” they’ll
don't won't y'all o'clock rock'n'roll 'twas 'sup 's 't 'm
'S'T'RE'VE'M'LL'D 's't're've'm'll'd
''s ''' '' ' '1 '!s
T-shirt T‑shirt T–shirt T—shirt t_shirt t.shirt t/shirt
size XS/S/M/L/XL/2XL/3XL 32"x34" 6'2" 5½ US 9.5 EU 42⅔
100% cotton, 5% elastane @ 40°C
€49,99 £1,234.56 $20 ¥3000 ₹999 ₩12,000 ₽500 ₺75 ฿199 ₿0.01 49.-
-50% SALE!!! NOW ONLY $9.99!!!1!
https://shop.example.com/products/red-dress?size=M&colour=red#reviews
www.example.co.uk/a_b-c.html mailto:hello@example.com
#ootd #fashion2026 @brand_name
SKU: AB-1234/56_78 (EAN 4006381333931)
<p>Soft &amp; warm&nbsp;jumper</p><br/>
&lt;b&gt;bold&lt;/b&gt; &#39;quoted&#39; &quot;x&quot; &eacute; &#x1F600;
{"json": [1, 2.5, null]} \\n \\t \\u0041 C:\\path
a+b=c; x<y>z; 1<2; <> <| |> <||> <|x|>
!!! ??? ... … --- === *** ~~~ ``` ||| ^^^ %%% $$$
1234567890 12,345.67 1e-5 0x1F 1st 2nd 3rd 4K 8GB H&M M&S P&C
ß STRASSE Straße STRAẞE groß GROẞ
Kleid für Damen, Größe 38–42, 100 % Baumwolle, Übergröße
Robe d'été en coton à manches courtes, l'élégance française, cœur, naïve
ROBE D'ÉTÉ EN COTON À MANCHES COURTES
Vestido de niña con lunares, talla única, ¡oferta! ¿qué?
Camicia da uomo in lino, collo alla coreana, così è più bello
Calça jeans feminina, cintura média, promoção, coração
Damska sukienka z długim rękawem, łatwe zwroty, źdźbło, ŻÓŁĆ
Dámské šaty s květinovým potiskem, příliš žluťoučký kůň
Rochie de damă cu mâneci lungi, țesătură și căptușeală, ŞŢ şţ
Kadın elbise, uzun kollu, İstanbul, ılık, IŞIK, i̇
Női ruha, őszi, hosszú ujjú, tűzpiros
Naisten mekko, pitkähihainen, ÄÖÅ äöå
Đầm nữ dài tay, áo dài truyền thống Việt Nam, Ắ Ệ Ợ
Женское платье с длинным рукавом, ёлка, й, Ё, подъезд
ЖЕНСКОЕ ПЛАТЬЕ С ДЛИННЫМ РУКАВОМ
Жіноча сукня з довгим рукавом, її, ґанок, м'ята
Дамска рокля с дълъг ръкав
Женска хаљина дугих рукава, љубав, џемпер, ђак
Γυναικείο φόρεμα με μακριά μανίκια, τελικός ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ Σ ς σ
ΣΑΣ ΣΑΣ. ΣΣ Σ' ΑΣ'Α
Կանացի զգեստ երկար թևերով և
ქალის კაბა გრძელი სახელოებით ᲥᲐᲚᲘᲡ
שמלת נשים עם שרוולים ארוכים
שִׂמְלָה בְּרֵאשִׁית ״ציטוט״ ׳
فستان نسائي بأكمام طويلة، ١٢٣٤، ﷺ ﻻ
فُسْتَانٌ جَمِيلٌ ـــ
پیراهن زنانه آستین بلند ۱۲۳ می‌خواهم
خواتین کا لباس لمبی آستین
महिलाओं की पोशाक, लंबी आस्तीन, १२३, क्षत्रिय, क़ लड़का
মহিলাদের পোশাক, লম্বা হাতা, ড় ঢ় য় ১২৩
ਔਰਤਾਂ ਦਾ ਪਹਿਰਾਵਾ ਸ਼ ਖ਼
મહિલાઓનો ડ્રેસ
பெண்கள் உடை, நீண்ட கை, கொ கோ கௌ ௧௨௩
మహిళల దుస్తులు ొ
ಮಹಿಳೆಯರ ಉಡುಗೆ ೊ ೋ
സ്ത്രീകളുടെ വസ്ത്രം ൊ ൻ
කාන්තා ඇඳුම ො ෝ
ชุดเดรสผู้หญิงแขนยาว ราคา ๑๒๓ บาท น้ำ ำ
ຊຸດແມ່ຍິງ ນ້ຳ
အမျိုးသမီးဝတ်စုံ ၁၂၃
សម្លៀកបំពាក់នារី
བུད་མེད་ཀྱི་གྱོན་ཆས ༡༢༣
የሴቶች ቀሚስ ፩፪፫
女士长袖连衣裙，夏季新款，￥199.00元
女裝長袖連衣裙「特價」【新品】（限量）
レディース ワンピース 長袖 ｶﾞｷﾞｸﾞ ガギグ が が ㌔ ㍻ ①②③
여성용 긴팔 원피스, 한글 한글 각 각
ꦏꦼꦧꦪ ᮞᮥᮔ᮪ᮓ ᬩᬮᬶ
ᏣᎳᎩ ꮳꮃꭹ ᐃᓄᒃᑎᑐᑦ
𝐁𝐨𝐥𝐝 𝒮𝒸𝓇𝒾𝓅𝓉 𝟙𝟚𝟛 ＦＵＬＬ ｗｉｄｔｈ １２３
𐐀𐐨 𐓏𐓷 𞤀𞤢 𐌰𐌱 𓀀𓁐 𒀀𒁀
😀 😃😄 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷🇯🇵 1️⃣ #️⃣ ©️ ™ ® ❤️ ❤ ♥️ ☺︎
👗👠👜 new in 🔥🔥🔥 sale❗️❗️ 50%🤑
🧑🏿‍🦽‍➡️ 🫨🪿🩷 🏴󠁧󠁢󠁥󠁮󠁧󠁿
½ ¼ ¾ ² ³ ¹ ⅓ Ⅷ ⅷ ① ⑳ ㈠ ㊿ ༳ 〇 零 ৴ ௰
ﬁ ﬂ ﬀ ﬃ ﬆ Æ æ Œ œ Ĳ ĳ ŉ ǆ ǅ Ǆ
Å Å Å K K Ω Ω Ⅻ ℃ № ℡ ™ ſ ẛ
µ μ ℓ ℮ ª º ﹪ ％ ﹟ ＃
·  • ‣ ◦ ∙ ✓ ✔ ✗ → ⇒ ↔ ∞ ≠ ≤ ≥ ± × ÷ √ ∑
‐ ‑ ‒ – — ― − ﹣ －
" ' ` ´ ʼ ʹ ′ ″ « » ‹ › „ “ ” ‚ ‘ ’ 「 」
long-sleeved/short-sleeved_blouse.with|many:separators;and,more
supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis
Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc
AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz
x1y2z3 1a2b3c a1 1a 9to5 y2k v2.0 B2B C++ C# .NET Node.js
nike air max 90 'Infrared' (2020) – men's
adidas Originals Superstar W, FTWR WHITE/CORE BLACK
LEVI'S® 501™ ORIGINAL FIT
Dolce&Gabbana D&G Yves Saint Laurent L'Oréal Hermès Chloé Céline Comme des Garçons Ánná
a photo of a {label}, a type of clothing.
""".strip().split("\n")

BOS, EOT = "<|startoftext|>", "<|endoftext|>"


def special_literals():
    for literal in (BOS, EOT, BOS.upper(), EOT.upper(), "<|StartOfText|>", "<|EndOfText|>"):
        yield from (literal, f"a{literal}b", f"a {literal} b", f"word{literal}", f"{literal}word", literal * 2,
                    f"!{literal}!", f"!!{literal}!!", f"'{literal}'s", f"1{literal}2", f"é{literal}\u0301",
                    f"{literal}\u0338", f"{literal}\u0338x", literal[:-1], literal[1:], f"<{literal}>",
                    f"<|{literal}|>", f"{literal}\n{literal}", f"{BOS}{literal}{EOT}", f"{literal}{'x ' * 80}",
                    literal.replace("|", "| "), literal.replace("t", "t\u0301"), f"\u3000{literal}\u3000")
    yield "<|ſtartoftext|>"
    yield "<|startoftext|><|ENDOFTEXT|>!!<|endoftext|>??<|STARTOFTEXT|>.."
    yield "<|\u212Aendoftext|>"


def white_space():
    yield ""
    spaces = ("\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
              "\u2009\u200a\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u2061\u3000\ufeff")
    for c in spaces:
        yield from (c, f"a{c}b", f" {c} a {c}{c}b{c}")
    yield " \t\r\n mixed \u3000\u00a0 spaces\r\n\r\nand lines \n"
    yield spaces


def controls_and_odd_code_points():
    for c in "\0\x01\x07\b\x1b\x7f\x80\x9f\xad\u034f\u061c\u115f\u2029\u202a\u202e\u2066\u2069\ufe0e\ufe0f\ufff9\ufffc\ufffd" \
             "\ufffe\uffff\ue000\uf8ff\U000e0001\U000e0100\U000f0000\U0010fffd\U0010ffff\u0378\u0557\u2427\U0001fffe" \
             "\U00030000\U000323af\u1c89\ua7cb\U00010d50\U00016d40\U0001ccf0":
        yield from (c, f"x{c}y")
    for mark in "\u0300\u0301\u0308\u0327\u0338\u0345\u05b0\u064b\u093c\u0e31\u0e48\u20e3\u3099\ufe20\U0001d165":
        yield from (mark, f"{mark}a", f"a{mark}", f"a {mark}", f"e{mark}\u0323", f"q\u0307{mark}\u0323",
                    f"\u304b{mark}")


def normal_forms():
    words = ["é", "Å", "ñ", "ü", "ệ", "ǖ", "ς", "ﬁ", "각", "힣", "が", "ﾊﾟ", "क़", "ড়", "ਖ਼", "\u0344", "\u0958", "\u2126",
             "\u212b", "\u1e9b\u0323", "\ufb2c", "\u0f73", "\U0001d15e", "\uf900", "\u2f800", "\u0374", "\u037e",
             "\u0387", "\u1fee", "\u2000", "\u2adc", "≠", "≯", "Ǆ", "İ", "ı", "ẞ", "ŉ", "ǰ", "ΐ", "և", "ﬓ", "ᾳ", "ᾼ", "Ω", "Ⴀ",
             "Ა", "Ꭰ", "ꭰ", "Ⅷ", "Ⓐ", "Ａ", "𐐀", "𑢠", "𖹀", "𞤀"]
    for word in words:
        yield word
        yield f"{word}x"
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            yield unicodedata.normalize(form, word)
        yield word.upper()
        yield word.lower()


def lengths():
    for n in (1, 2, 73, 74, 75, 76, 77, 78, 200):
        yield "a " * n
        yield "dress" * n
        yield "1" * n
        yield "!" * n
        yield "字" * n
        yield "👗" * n
        yield ("\u0301" * n)
    yield "a" * 10_000
    yield "ab" * 5_000 + " tail"
    yield " " * 10_000 + "x"
    yield "longword" * 300 + EOT


def texts():
    for line in TITLES:
        yield line
        yield line.upper()
        yield line.swapcase()
        yield unicodedata.normalize("NFD", line)
        yield "".join(line.split())
    yield from special_literals()
    yield from white_space()
    yield from controls_and_odd_code_points()
    yield from normal_forms()
    yield from lengths()
