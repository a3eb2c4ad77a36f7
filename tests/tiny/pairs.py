"""The sentences that every tiny translation model is over-fitted on: answers can be checked."""

from __future__ import annotations

EN_ES = (
    (
        "In the beginning God created the heavens and the earth.",
        "En el principio creó Dios los cielos y la tierra.",
    ),
    (
        "For God so loved the world that he gave his only begotten Son.",
        "Porque de tal manera amó Dios al mundo, que ha dado a su Hijo unigénito.",
    ),
    (
        "The Lord is my shepherd; I shall not want.",
        "El Señor es mi pastor; nada me faltará.",
    ),
    ("Jesus wept.", "Jesús lloró."),
    (
        "Good morning, church! It is so good to see you all today.",
        "¡Buenos días, iglesia! Qué bueno es verlos a todos hoy.",
    ),
    (
        "Please turn with me in your Bibles to the Gospel of John, chapter three, verse sixteen.",
        "Por favor, abran conmigo sus Biblias en el Evangelio de Juan, capítulo tres, versículo "
        "dieciséis.",
    ),
    (
        "We are saved by grace through faith, and not by works.",
        "Somos salvos por gracia mediante la fe, y no por obras.",
    ),
    (
        "The Holy Spirit came down upon them on the day of Pentecost.",
        "El Espíritu Santo descendió sobre ellos el día de Pentecostés.",
    ),
    ("Let us pray.", "Oremos."),
    (
        "Father, we thank you for this day and for your great mercy.",
        "Padre, te damos gracias por este día y por tu gran misericordia.",
    ),
    (
        "Paul wrote this letter to the church in Philippi while he was in prison.",
        "Pablo escribió esta carta a la iglesia de Filipos mientras estaba en prisión.",
    ),
    (
        "If you confess with your mouth that Jesus is Lord, you will be saved.",
        "Si confiesas con tu boca que Jesús es el Señor, serás salvo.",
    ),
    (
        "He died on the cross for our sins and rose again on the third day.",
        "Él murió en la cruz por nuestros pecados y resucitó al tercer día.",
    ),
    ("God is love.", "Dios es amor."),
    (
        "Faith is the substance of things hoped for, the evidence of things not seen.",
        "Es, pues, la fe la certeza de lo que se espera, la convicción de lo que no se ve.",
    ),
    ("Amen.", "Amén."),
)
