"""The words of Portuguese: the tables of pt-BR, and the entries of pt-PT that differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.text.portuguese_abbreviations import ABBREVIATIONS, ACTS, BEFORE_LETTER, BEFORE_NAME, BEFORE_NUMBER, RULINGS, SIDES
from pipeline.text.words import Noun, Words, currencies, greek_names, letter_names, listed, nouns, pairs, with_capitals, words

BRAZIL: Final = Words(
    locale="pt-BR",
    conjunction="e",
    minus="menos",
    separators={",": "vírgula", ".": "ponto"},
    of="de",
    to="a",
    by="por",
    times=Noun("vez", "vezes", feminine=True),
    hour=Noun("hora", "horas", feminine=True),
    minute=Noun("minuto", "minutos"),
    second=Noun("segundo", "segundos"),
    half=Noun("meio", "meia"),
    months=listed("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
    first_of_month="primeiro",
    number_sign="número",
    symbols=pairs("""
        & → e
        + → mais
        = → igual a
        @ → arroba
        % → por cento
        ‰ → por mil
        § → parágrafo
        §§ → parágrafos
        × → vezes
        ÷ → dividido por
        ± → mais ou menos
        < → menor que
        > → maior que
        ≤ → menor ou igual a
        ≥ → maior ou igual a
        ≠ → diferente de
        ∞ → infinito
        √ → raiz quadrada de
        ∛ → raiz cúbica de
        ∑ → somatório de
        ∫ → integral de
        ∈ → pertence a
        ∉ → não pertence a
        ∪ → união
        ∩ → interseção
        ° → graus
        ² → ao quadrado
        ³ → ao cubo
        $ → dólares
        € → euros
        £ → libras
        ¥ → ienes
        ¢ → centavos
    """),
    in_addresses=pairs("""
        @ → arroba
        . → ponto
        / → barra
        - → hífen
        _ → sublinhado
        + → mais
        = → igual
        & → e
        % → por cento
        # → cerquilha
        ~ → til
        : → dois pontos
    """),
    tag="hashtag",
    slash="barra",
    all_day="vinte e quatro por sete",
    day_parts=("da manhã", "da tarde", "da noite"),
    night_from=7,
    pressure="por",
    before_pressure=words("pa ta"),
    every="em",
    before_date=words("dia dias em a de até desde"),
    before_score=words(
        "por venceu venceram vencia vence terminou ganharam ganhava ganha perderam perdia perde empataram golearam vencendo perdendo acabou"
        " ganhou perdeu empatou bateu goleou vencer ganhar perder empatar empate vitória derrota placar resultado"
        " jogo final"
    ),
    currencies=currencies("""
        R$ | BRL → real, reais; centavo, centavos
        US$ | U$ | USD | $ → dólar, dólares; centavo, centavos
        € | EUR → euro, euros; centavo, centavos
        £ | GBP → libra, libras, feminine; pêni, pence
        ¥ | JPY → iene, ienes; sen, sen
        C$ | CA$ | CAD → dólar canadense, dólares canadenses; centavo, centavos
        A$ | AU$ | AUD → dólar australiano, dólares australianos; centavo, centavos
        Cr$ → cruzeiro, cruzeiros; centavo, centavos
        CHF → franco suíço, francos suíços; cêntimo, cêntimos
    """),
    before_one=words("o a do da no na ao à pelo pela um uma cada este esse esta essa seu sua por"),
    magnitudes=pairs("""
        mil → mil
        k | K → mil
        mi | M | MM | mm | milhão | milhões → milhões
        mil milhões | mil M → mil milhões
        bi | B | bn | bilhão | bilhões → bilhões
        tri | T | tn | trilhão | trilhões → trilhões
    """),
    units=with_capitals(nouns("""
        km | Km | KM → quilômetro, quilômetros
        m → metro, metros
        cm → centímetro, centímetros
        mm → milímetro, milímetros
        dm → decímetro, decímetros
        nm → nanômetro, nanômetros
        µm → micrômetro, micrômetros
        m² | m2 → metro quadrado, metros quadrados
        km² | km2 → quilômetro quadrado, quilômetros quadrados
        cm² | cm2 → centímetro quadrado, centímetros quadrados
        mm² | mm2 → milímetro quadrado, milímetros quadrados
        dm³ | dm3 → decímetro cúbico, decímetros cúbicos
        mm³ | mm3 → milímetro cúbico, milímetros cúbicos
        km³ | km3 → quilômetro cúbico, quilômetros cúbicos
        m³ | m3 → metro cúbico, metros cúbicos
        cm³ | cm3 → centímetro cúbico, centímetros cúbicos
        ha → hectare, hectares
        km/h | Km/h | KM/H → quilômetro por hora, quilômetros por hora
        m/s → metro por segundo, metros por segundo
        m/s² | m/s2 → metro por segundo ao quadrado, metros por segundo ao quadrado
        kg | kgs | Kg | Kgs | KG → quilo, quilos
        g → grama, gramas
        mg → miligrama, miligramas
        µg | mcg → micrograma, microgramas
        t | ton → tonelada, toneladas, feminine
        l | L → litro, litros
        ml | mL → mililitro, mililitros
        cl | cL → centilitro, centilitros
        dl | dL → decilitro, decilitros
        h | hs | hrs → hora, horas, feminine
        min → minuto, minutos
        s | seg → segundo, segundos
        ms → milissegundo, milissegundos
        °C | ºC | ° C → grau celsius, graus celsius
        °F | ºF | ° F → grau fahrenheit, graus fahrenheit
        ° → grau, graus
        W → watt, watts
        kW → quilowatt, quilowatts
        MW → megawatt, megawatts
        GW → gigawatt, gigawatts
        kWh → quilowatt hora, quilowatts hora
        V → volt, volts
        Hz → hertz, hertz
        kHz → quilohertz, quilohertz
        MHz → megahertz, megahertz
        GHz → gigahertz, gigahertz
        dB → decibel, decibéis
        KB | kB → quilobyte, quilobytes
        MB → megabyte, megabytes
        GB → gigabyte, gigabytes
        TB → terabyte, terabytes
        kb | Kb | kbit | Kbit → quilobit, quilobits
        Mb | Mbit → megabit, megabits
        Gb | Gbit → gigabit, gigabits
        Tb | Tbit → terabit, terabits
        bps | bit/s | bits/s | b/s → bit por segundo, bits por segundo
        kbps | Kbps | kb/s | Kb/s | kbit/s | Kbit/s | kbits/s → quilobit por segundo, quilobits por segundo
        Mbps | Mb/s | Mbit/s | Mbits/s → megabit por segundo, megabits por segundo
        Gbps | Gb/s | Gbit/s | Gbits/s → gigabit por segundo, gigabits por segundo
        Tbps | Tb/s | Tbit/s | Tbits/s → terabit por segundo, terabits por segundo
        B/s → byte por segundo, bytes por segundo
        kBps | KBps | kB/s | KB/s → quilobyte por segundo, quilobytes por segundo
        MBps | MB/s → megabyte por segundo, megabytes por segundo
        GBps | GB/s → gigabyte por segundo, gigabytes por segundo
        TBps | TB/s → terabyte por segundo, terabytes por segundo
        Ω → ohm, ohms
        kΩ → quilohm, quilohms
        MΩ → megaohm, megaohms
        mAh → miliampere hora, miliamperes hora
        mA → miliampere, miliamperes
        mV → milivolt, milivolts
        kV → quilovolt, quilovolts
        mW → miliwatt, miliwatts
        MWh → megawatt hora, megawatts hora
        GWh → gigawatt hora, gigawatts hora
        TWh → terawatt hora, terawatts hora
        kJ → quilojoule, quilojoules
        Pa → pascal, pascals
        kPa → quilopascal, quilopascals
        hPa → hectopascal, hectopascals
        mmHg → milímetro de mercúrio, milímetros de mercúrio
        rpm → rotação por minuto, rotações por minuto, feminine
        bpm → batimento por minuto, batimentos por minuto
        mol → mol, mols
        ppm → parte por milhão, partes por milhão, feminine
        ng → nanograma, nanogramas
        pg → picograma, picogramas
        µL → microlitro, microlitros
        µmol → micromol, micromols
        nmol → nanomol, nanomols
        µUI → microunidade internacional, microunidades internacionais, feminine
        mUI → miliunidade internacional, miliunidades internacionais, feminine
        mmol → milimol, milimols
        mEq → miliequivalente, miliequivalentes
        UI → unidade internacional, unidades internacionais, feminine
        irpm → incursão por minuto, incursões por minuto, feminine
        cp | cps | comp | comps → comprimido, comprimidos
        gt | gts → gota, gotas, feminine
        xíc → xícara, xícaras, feminine
        col | cols → colher, colheres, feminine
        c. de sopa | c. (sopa) | c. sopa → colher de sopa, colheres de sopa, feminine
        c. de chá | c. (chá) | c. chá → colher de chá, colheres de chá, feminine
        pts → ponto, pontos
        pol → polegada, polegadas, feminine
        kcal → quilocaloria, quilocalorias, feminine
        cal → caloria, calorias, feminine
        hp | cv → cavalo, cavalos
        hab → habitante, habitantes
        p.p. | pp | p.p → ponto percentual, pontos percentuais
        p.b. | pb → ponto base, pontos base
        % → por cento, por cento
        ‰ → por mil, por mil
    """), "cm ml cl min hrs kgs rpm bpm kcal mmHg kWh km² m² cm² m³ m/s ppm"),
    near_basis_points=words(
        "juro juros spread spreads selic cdi copom prêmio prémio yield yields cupom cupão rendimento rendimentos obrigação obrigações tesouro"
        " treasury treasuries inflação dívida fed bce euribor swap diferencial crédito"
    ),
    number_words=words(
        "um uma dois duas três quatro cinco seis sete oito nove dez onze doze treze catorze quatorze quinze dezesseis dezasseis dezessete"
        " dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem duzentos trezentos"
        " quatrocentos quinhentos seiscentos setecentos oitocentos novecentos mil meio meia vários alguns poucos muitos tantos quantos cada"
    ),
    collectives=words(
        "milhão milhões bilhão bilhões bilião biliões trilhão trilhões milhar milhares centenas dezenas dezena centena quarto quartos terço"
        " terços"
    ),
    per_nouns=words(
        "segundo minuto hora dia noite semana quinzena mês bimestre trimestre semestre ano século pessoa habitante aluno professor paciente família"
        " casal criança unidade barril saca litro quilo grama tonelada quilômetro quilómetro metro hectare alqueire arroba página caixa pacote lote"
        " jogo partida sessão sala turma turno leito médico caloria domicílio veículo cabeça planta caractere linha aula mil milhão"
    ),
    per_period=pairs("""
        a.a. | a. a. | a.a | aa | a/a | A.A. → ao ano
        a.m. | a. m. | a.m | am | a/m | A.M. → ao mês
        a.d. | a. d. | a.d → ao dia
        a.s. | a. s. | a.s → ao semestre
        a.t. | a. t. | a.t → ao trimestre
        a.b. | a. b. | a.b → ao bimestre
        p.a. | p. a. | p.a → ao ano
        p.m. | p. m. | p.m → ao mês
    """),
    power="elevado a",
    ratio="para",
    before_ratio=words(
        "escala escalas proporção proporções razão razões diluição diluições diluído diluída relação rácio taxa mistura traço formato"
        " proporcionalidade"
    ),
    books=words(
        "gênesis génesis êxodo levítico números deuteronômio deuteronómio josué juízes rute samuel reis crônicas crónicas esdras neemias ester jó"
        " salmo salmos provérbios eclesiastes cantares isaías jeremias lamentações ezequiel daniel oséias oseias joel amós jonas miquéias miqueias"
        " habacuque sofonias ageu zacarias malaquias mateus marcos lucas joão atos actos romanos coríntios gálatas efésios filipenses colossenses"
        " tessalonicenses timóteo tito filemom hebreus tiago pedro judas apocalipse jo mt mc lc rm gn ex sl is ap hb"
    ),
    versus="versus",
    month_abbreviations=listed("jan fev mar abr mai jun jul ago set out nov dez"),
    greek=greek_names("alfa beta gama delta épsilon zeta eta teta iota capa lambda mi ni csi ômicron pi rô sigma tau ípsilon fi qui psi ômega"),
    about="aproximadamente",
    about_equal="aproximadamente igual a",
    code_nouns=words(
        "telefone telefones telef tel tels fone tlf telf telm tlm telemóvel celular cel fax whatsapp nif nipc niss cpf cnpj rg pis nit pasep"
        " iban isbn matrícula contribuinte inscrição protocolo processo autos"
    ),
    abbreviations=ABBREVIATIONS,
    before_name=BEFORE_NAME,
    before_number=BEFORE_NUMBER,
    before_letter=BEFORE_LETTER,
    acts=ACTS,
    rulings=RULINGS,
    compass=pairs("""
        N → norte
        S → sul
        E | L → leste
        W | O → oeste
    """),
    inch=Noun("polegada", "polegadas", feminine=True),
    before_minutes=words("aos ao dos minuto minutos"),
    act_nouns=words(
        "lei leis decreto decretos portaria portarias resolução resoluções medida súmula instrução processo acórdão diretiva directiva despacho"
        " edital contrato complementar constitucional provisória normativa ec lc mp pl pec dl adi ordem regulamento emenda ofício circular"
        " número n nº convênio convénio deliberação"
    ),
    sides=SIDES,
    saints=words(
        "Paulo João Pedro Tomé Miguel Jorge José Bento Bernardo Vicente Martinho Francisco Sebastião Luís Gonçalo Mateus Marcos"
        " Roque Domingos Brás Mamede Caetano Gabriel Carlos Lourenço Leopoldo"
    ),
    don=("dom", "dona"),
    dona=words("Inês Isabel Elizabeth Beatriz Raquel Carmen Leonor Ester Rute Lurdes Lourdes Mercedes Dulce Alice"),
    letters=letter_names("a bê cê dê e efe gê agá i jota cá ele eme ene o pê quê erre esse tê u vê dáblio xis ípsilon zê"),
    spelled=words("EUA USA UE CEE IA TI RH OAB UTI IOF OMS OMC AM PM IPI EAD CEO IP AI RA OS SOS USB PA VO AAS"),
    read=words(
        "USP PIB PEC ONG MEC SESC SENAC SESI PUC CUT UNESP UERJ PSOL AIDS BID COB VIP LED MASP FARC PROCON FUNAI PAC SAMU OK COVID"
        " PSI CEP NIF SIC DETRAN"
    ),
    regnal=words(
        "dom d dona rei rainha papa imperador imperatriz príncipe princesa czar faraó santo são pedro joão carlos felipe filipe luís"
        " luiz henrique manuel manoel afonso isabel elizabeth jorge josé maria napoleão alexandre fernando sancho guilherme bento pio"
        " leão gregório paulo francisco catarina frederico nicolau ricardo duarte dinis eduardo leopoldo gustavo ramsés clemente"
        " urbano inocêncio bonifácio sisto vítor emanuel jaime"
    ),
    century_nouns=words("século séculos séc sécs"),
    part_nouns=words(
        "capítulo capítulos cap volume volumes vol tomo tomos ato acto atos cena parte livro título artigo art seção secção anexo fase tipo"
        " classe grau nível etapa módulo unidade canto grupo série divisão liga dinastia figura tabela quadro apêndice inciso incisos inc incs"
        " item itens alínea alíneas títulos seções artigos arts protocolo"
        " bloco ciclo região categoria guerra copa"
    ),
    event_nouns={
        **dict.fromkeys(words("guerra conferência feira jornada jornadas bienal copa república mostra semana reunião internacional edição"), True),
        **dict.fromkeys(words(
            "congresso encontro seminário fórum festival simpósio reich milênio milénio concílio plano colóquio governo exército salão torneio"
            " campeonato prêmio prémio curso concurso"
        ), False),
    },
    label_nouns=words(
        "página páginas sala número capítulo rua linha fase casa porta questão aula unidade etapa versão temporada nota turma zona loja"
        " quadra avenida folha figura tabela cena parte lição estrofe canal artigo plataforma classe estrada rota apartamento bloco"
        " quarto nível grau tipo grupo item passo ano dia mês camisa pista vaga mesa caixa opção"
    ),
    name_nouns=words("rua avenida praça largo escola colégio rei rainha imperador imperatriz infante princesa príncipe bispo ponte parque"),
    letter_nouns=words("vitamina vitaminas plano tipo letra opção alternativa categoria hepatite"),
    feminine_determiners=words(
        "as às à das nas pelas umas estas essas aquelas destas dessas daquelas nestas nessas minhas suas nossas tuas vossas outras algumas"
        " todas últimas primeiras próximas poucas muitas tantas"
    ),
    masculine_determiners=words(
        "os aos dos nos pelos uns estes esses aqueles destes desses daqueles nestes nesses meus seus nossos teus vossos outros alguns todos"
        " últimos primeiros próximos"
    ),
    not_counted=words(
        "a as à às o os ao aos da na nas do dos no nos e ou de em com para por pela pelas pelo pelos que se ainda agora apenas mas contra"
        " nunca já não só mais menos até entre sobre sob sem desde foi era é está são foram eram elas numa nela nelas"
    ),
    feminine_nouns=words(
        "vez vezes mulher mulheres noite noites tarde tardes parte partes mão mãos flor flores cor cores dor dores voz vozes"
        " luz luzes cruz cruzes raiz raízes irmã irmãs maçã maçãs manhã manhãs mãe mães chave chaves nave naves ave aves rede"
        " redes sede sedes ponte pontes fonte fontes gente ordem ordens nuvem nuvens lei leis foto fotos moto motos série séries"
        " espécie espécies face faces classe classes base bases fase fases frase frases hipótese hipóteses tese teses análise"
        " análises crise crises equipe equipes torre torres morte mortes arte artes pele peles carne carnes colher colheres lã"
        " lãs árvore árvores grade grades união uniões reunião reuniões região regiões opinião opiniões religião religiões avó"
        " avós tribo tribos metade metades lente lentes semente sementes corrente correntes paixão paixões razão razões questão"
        " questões gestão gestões sugestão sugestões ocasião ocasiões conexão conexões reflexão reflexões legião legiões"
        " rebelião rebeliões parede paredes neve neves greve greves febre febres lebre lebres sorte sortes haste hastes estante"
        " estantes variante variantes vertente vertentes enchente enchentes patente patentes mente mentes serpente serpentes"
        " frente frentes nascente nascentes elite elites suíte suítes estrofe estrofes catástrofe catástrofes gripe gripes"
        " hélice hélices superfície superfícies planície planícies cárie cáries alface alfaces interface interfaces posse posses"
        " tosse tosses vitrine vitrines cabine cabines dose doses síntese sínteses prótese próteses síndrome síndromes fome"
        " fomes noz nozes perdiz perdizes matriz matrizes cicatriz cicatrizes atriz atrizes imperatriz imperatrizes diretriz"
        " diretrizes maré marés rã rãs alemã alemãs cristã cristãs anã anãs aldeã aldeãs lista listas pista pistas vista vistas"
        " revista revistas conquista conquistas entrevista entrevistas crista cristas"
    ),
    masculine_nouns=words(
        "dia dias problema problemas sistema sistemas tema temas programa programas mapa mapas clima climas planeta planetas"
        " cometa cometas poema poemas esquema esquemas telegrama telegramas quilograma quilogramas grama gramas miligrama"
        " miligramas cinema cinemas diploma diplomas dilema dilemas idioma idiomas trauma traumas fantasma fantasmas sofá sofás"
        " pijama pijamas drama dramas teorema teoremas sintoma sintomas aroma aromas atleta atletas colega colegas guarda"
        " guardas poeta poetas papa papas lema lemas recruta recrutas camarada camaradas patriota patriotas dálmata dálmatas"
        " astronauta astronautas monarca monarcas profeta profetas piloto pilotas psicopata psicopatas democrata democratas"
        " burocrata burocratas acrobata acrobatas diplomata diplomatas pirata piratas inseticida inseticidas pesticida"
        " pesticidas herbicida herbicidas jesuíta jesuítas belga belgas astecas maias incas gorila gorilas panda pandas puma"
        " pumas coala coalas enigma enigmas paradigma paradigmas dogma dogmas prisma prismas axioma axiomas genoma genomas"
        " hematoma hematomas carcinoma carcinomas fonema fonemas morfema morfemas emblema emblemas estigma estigmas cronograma"
        " cronogramas organograma organogramas fluxograma fluxogramas diagrama diagramas anagrama anagramas guia guias"
    ),
)


def _european(table: dict[str, Noun]) -> dict[str, Noun]:
    """Return units as Portugal writes them: quilómetro, micrómetro, quilowatt."""
    return {symbol: Noun(noun.one.replace("ô", "ó"), noun.many.replace("ô", "ó"), noun.feminine) for symbol, noun in table.items()}


PORTUGAL: Final = replace(
    BRAZIL,
    locale="pt-PT",
    first_of_month="um",
    all_day="vinte e quatro sobre sete",
    units=_european(dict(BRAZIL.units)),
    currencies={**BRAZIL.currencies, **currencies("€ | EUR → euro, euros; cêntimo, cêntimos")},
    magnitudes=pairs("""
        mil | k | K → mil
        mil milhões | mil M | bi | B | bn → mil milhões
        mi | M | MM | mm | milhão | milhões → milhões
        bilhão | bilhões → bilhões
        bilião | biliões → biliões
        trilhão | trilhões → trilhões
        trilião | triliões → triliões
    """),
    abbreviations={
        **BRAZIL.abbreviations, "km/h": "quilómetros por hora",
    },
    letters={**BRAZIL.letters, "k": "capa", "w": "dâblio"},
    greek={**BRAZIL.greek, "ο": "ómicron", "ω": "ómega"},
)
