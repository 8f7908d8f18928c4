"""The abbreviations of Portuguese."""

from __future__ import annotations

from typing import Final

from pipeline.text.words import pairs

ABBREVIATIONS: Final = pairs("""
    sr. | sr.o → senhor
    sra. | sr.ª | srª | sr.a → senhora
    srta. | sr.ta | srt.ª | srt.a → senhorita
    srs. | sr.es → senhores
    sras. | sr.as | sr.ªs → senhoras
    dr. | dr.o → doutor
    dra. | dr.ª | drª | dr.a → doutora
    drs. | dr.es → doutores
    dras. | dr.as | dr.ªs → doutoras
    prof. | prof.º | prof.o → professor
    profa. | prof.ª | profª | prof.a → professora
    profs. | prof.es → professores
    profas. | prof.as | prof.ªs → professoras
    eng.º | eng.o | engº → engenheiro
    eng.ª | eng.a | engª | enga. → engenheira
    arq.º | arq.o | arqº → arquiteto
    arq.ª | arq.a | arqª → arquiteta
    enf.º | enf.o → enfermeiro
    enf.ª | enf.a | enfª → enfermeira
    exmo. | exm.º | exm.o | ex.mo | ex.º → excelentíssimo
    exma. | exm.ª | exm.a | ex.ma → excelentíssima
    exmos. | ex.mos → excelentíssimos
    exmas. | ex.mas → excelentíssimas
    ilmo. | ilm.º | ilm.o | il.mo → ilustríssimo
    ilma. | ilm.ª | ilm.a | il.ma → ilustríssima
    ilmos. | il.mos → ilustríssimos
    ilmas. | il.mas → ilustríssimas
    revmo. | rev.mo | revm.º → reverendíssimo
    revma. | rev.ma | revm.ª → reverendíssima
    digmo. | dig.mo → digníssimo
    digma. | dig.ma → digníssima
    mmo. | m.mo | mm.º → meritíssimo
    mma. | m.ma | mm.ª → meritíssima
    p.e → padre
    s.to → santo
    s.ta → santa
    l.da → limitada
    c.ia → companhia
    pág.s → páginas
    ex.ª | exª | exa. | ex.a → excelência
    ex.ªs | exas. | ex.as → excelências
    v. exa. | v. ex.ª | v. ex.a | v.ª ex.ª | v.a ex.a | vexa. → vossa excelência
    v. exas. | v. ex.ªs | v. ex.as → vossas excelências
    v. s.ª | v. s.a | v. sa. | v.ª s.ª | v.a s.a → vossa senhoria
    v. s.ªs | v. s.as | v. sas. → vossas senhorias
    s. exa. | s. ex.ª | s. ex.a → sua excelência
    av. | av.ª | av.a → avenida
    dto. | dt.º | dt.o | dir.to | drt.º | drt.o → direito
    esq.º | esq.o | esq.do → esquerdo
    fte. | frt. → frente
    esq. com → esquina com
    esq. da → esquina da
    esq. do → esquina do
    r/c | r/ch → rés do chão
    tlm. | telm. → telemóvel
    telef. | telef.º | telef.o | tlf. | telf. | telf.º → telefone
    tels. | telefs. | tlfs. → telefones
    cx. postal → caixa postal
    e ss. | e segs. → e seguintes
    c/c → combinado com
    v.g. → verbi gratia
    s.m.j. → salvo melhor juízo
    p. único | p.único | par. único | parág. único → parágrafo único
    dec.-lei → decreto lei
    etc | etc. → et cetera
    p. ex. → por exemplo
    i. e. → isto é
    ltda. | lda. → limitada
    cia. → companhia
    s/a → esse a
    s/n → sem número
    a. C. → antes de cristo
    d. C. → depois de cristo
    pH → pê agá
    q. b. → quanto baste
    v. o. → via oral
    ph. d. → pê agá dê
    vs. → versus
    tel. | tel.º | tel.o → telefone
    obs. → observação
    aprox. → aproximadamente
    jr. → júnior
    pág. → página
    págs. → páginas
    séc. → século
    sécs. → séculos
    depto. | dpto. → departamento
    c/ → com
    s/ → sem
    p/ → para
    km/h → quilômetros por hora
    °c | ºc → graus celsius
    d.ª | dª | d.a → dona
    ex.: → exemplo
    a/c → aos cuidados
    c# → cê sharp
    seg. a sex. → segunda a sexta
    seg. a sáb. → segunda a sábado
    seg. a dom. → segunda a domingo
    ter. a dom. → terça a domingo
    nº | n.º | n° | n.° | núm. → número
    nºs | n.ºs | n.os → números
    art.º | art.o → artigo
    art.ºs | art.os → artigos
""")

BEFORE_NAME: Final = pairs("""
    sr → senhor
    sra → senhora
    dr → doutor
    dra → doutora
    R. → rua
    al. → alameda
    trav. | Tv. → travessa
    trv. → travessa
    pç. | pça. | prç. → praça
    urb. → urbanização
    qta. → quinta
    bº | b.º → bairro
    estr.ª → estrada
    ed. | edif. → edifício
    cond. → condomínio
    des. → desembargador
    proc. → procurador
    enf. → enfermeiro
    Mal. → marechal
    alm. → almirante
    maj. → major
    Ver. → vereador
    rev. → reverendo
    mons. → monsenhor
    rod. → rodovia
    estr. → estrada
    lg. → largo
    jd. → jardim
    sto. → santo
    sta. → santa
    gal. | gen. → general
    cel. → coronel
    cap. → capitão
    ten. → tenente
    sgt. → sargento
    gov. → governador
    pres. → presidente
    dep. → deputado
    sen. → senador
    min. → ministro
    eng. → engenheiro
    arq. → arquiteto
    pe. → padre
    rel. → relator
    fr. → frei
""")

BEFORE_NUMBER: Final = pairs("""
    min. → minuto
    p. → página
    pp. → páginas
    n.o → número
    inc. → inciso
    incs. → incisos
    al. → alínea
    als. → alíneas
    parág. → parágrafo
    fl. → folha
    fls. → folhas
    dec. → decreto
    Res. → resolução
    port. → portaria
    súm. → súmula
    proc. → processo
    tít. → título
    sec. | seç. → seção
    qd. → quadra
    lt. → lote
    cj. | conj. → conjunto
    sl. → sala
    lj. → loja
    ed. → edição
    cx. → caixa
    cel. → celular
    ram. → ramal
    apart. → apartado
    ag. → agência
    art. → artigo
    arts. → artigos
    cap. → capítulo
    caps. → capítulos
    vol. → volume
    vols. → volumes
    fig. → figura
    figs. → figuras
    tab. → tabela
    tabs. → tabelas
    eq. → equação
    eqs. → equações
    R. → rua
    apto. | ap. → apartamento
    bl. → bloco
    No. | n. | nr. → número
    tel → telefone
    km → quilômetro
""")

BEFORE_LETTER: Final = pairs("""
    al. → alínea
    als. → alíneas
    inc. → inciso
    bl. → bloco
    lt. → lote
    qd. → quadra
    ap. | apto. → apartamento
    lj. → loja
    sl. → sala
    cj. | conj. → conjunto
    ed. → edifício
""")

ACTS: Final = pairs("""
    EC → emenda constitucional
    LC → lei complementar
    DL → decreto lei
""")

RULINGS: Final = pairs("""
    HC → habeas corpus
    RHC → recurso em habeas corpus
    RE → recurso extraordinário
    ARE → recurso extraordinário com agravo
    REsp | Resp → recurso especial
    AREsp → agravo em recurso especial
""")

SIDES: Final = pairs("""
    esq | esqº | esq.º → esquerdo
    dir | dto | dt | drt | dirº → direito
    fte | frt | ft → frente
    tras → traseiras
    and → andar
    pav → pavimento
""")
