package seed

// person is one synthetic patient.
type person struct {
	given, family   string
	gender, born    string
	language, label string // BCP 47 and its name
	pronouns        string // LOINC answer: he, she, they
	interpreter     bool
	city            string
}

// people lists the patients. The first ones have visits today.
func people() []person {
	return []person{
		{"Ana", "Ruiz", "female", "1992-03-12", "es", "Spanish", "she", true, "Brookline"},
		{"Jonas", "Bergström", "male", "1958-11-02", "en", "English", "he", false, "Cambridge"},
		{"Siobhán", "Ní Dhomhnaill", "female", "1984-07-19", "en", "English", "she", false, "Quincy"},
		{"Trần Minh", "Anh", "male", "1979-01-30", "vi", "Vietnamese", "he", true, "Dorchester"},
		{"Oluwaseun", "Adébáyọ̀", "male", "1990-05-22", "en", "English", "they", false, "Somerville"},
		{"Mei-Ling", "Chen 陳", "female", "1947-09-08", "zh", "Chinese", "she", true, "Boston"},
		{"Théo", "Lefèvre", "male", "2019-02-14", "fr", "French", "he", false, "Newton"},
		{"Fatima", "Al-Sayed", "female", "1967-12-25", "ar", "Arabic", "she", true, "Malden"},
		{"Dmitri", "Волков", "male", "1935-04-03", "ru", "Russian", "he", true, "Brighton"},
		{"Alex", "Morgan", "other", "2001-08-17", "en", "English", "they", false, "Boston"},
		{"Marisol", "Peña", "female", "1973-06-05", "es", "Spanish", "she", false, "Chelsea"},
		{"Kenji", "Watanabe", "male", "1988-10-11", "ja", "Japanese", "he", false, "Cambridge"},
		{"Priya", "Raghunathan", "female", "1995-02-28", "en", "English", "she", false, "Waltham"},
		{"José Luis", "Ibáñez-Ortega", "male", "1962-03-19", "es", "Spanish", "he", true, "Lynn"},
		{"Zofia", "Wiśniewska", "female", "1951-05-27", "pl", "Polish", "she", true, "Salem"},
		{"Emre", "Çelik", "male", "1999-09-30", "tr", "Turkish", "he", false, "Medford"},
		{"Leilani", "Kahananui", "female", "2012-12-01", "en", "English", "she", false, "Arlington"},
		{"João", "Magalhães", "male", "1981-04-14", "pt", "Portuguese", "he", true, "Framingham"},
		{"Ingrid", "Sæther", "female", "1940-01-05", "en", "English", "she", false, "Lexington"},
		{"Samuel", "O'Connor", "male", "1970-08-23", "en", "English", "he", false, "Weymouth"},
		{"Wei", "Zhang 张", "male", "2015-06-09", "zh", "Chinese", "he", false, "Quincy"},
		{"Gabrielle", "Toussaint", "female", "1986-11-16", "ht", "Haitian Creole", "she", true, "Mattapan"},
		{"Noor", "Hussain", "female", "2007-03-03", "en", "English", "she", false, "Revere"},
		{"Björk", "Þórsdóttir", "female", "1977-07-07", "en", "English", "they", false, "Boston"},
		{"Mateusz", "Łukasik", "male", "1993-01-21", "pl", "Polish", "he", false, "Salem"},
		{"Ayşe", "Yılmaz", "female", "1955-10-29", "tr", "Turkish", "she", true, "Medford"},
		{"Thomas", "Blackwood", "male", "1931-02-17", "en", "English", "he", false, "Concord"},
		{"Renée", "D'Amboise", "female", "1998-05-13", "fr", "French", "she", false, "Newton"},
		{"Ho-jin", "Kim 김", "male", "1966-09-12", "ko", "Korean", "he", true, "Allston"},
		{"Amara", "Nwosu", "female", "2022-04-26", "en", "English", "she", false, "Brockton"},
		{"Carlos", "Quispe Mamani", "male", "1983-12-08", "es", "Spanish", "he", true, "Everett"},
		{"Hannah", "Goldberg", "female", "1944-06-30", "en", "English", "she", false, "Brookline"},
		{"Ravi", "Subramaniam", "male", "1975-03-15", "en", "English", "he", false, "Burlington"},
		{"Elif", "Öztürk", "female", "2010-10-20", "tr", "Turkish", "she", false, "Watertown"},
		{"Marcus", "Freeman", "male", "1989-07-04", "en", "English", "he", false, "Roxbury"},
		{"Nikolaos", "Παπαδόπουλος", "male", "1959-08-15", "el", "Greek", "he", true, "Lowell"},
		{"Skye", "Redfeather", "unknown", "2004-01-11", "en", "English", "they", false, "Plymouth"},
		{"Deborah", "Whitehall-Smythe", "female", "1963-11-27", "en", "English", "she", false, "Hingham"},
		{"Tariq", "Mansoor", "male", "1994-04-18", "ur", "Urdu", "he", false, "Woburn"},
		{"Lucía", "Fernández", "female", "2017-09-24", "es", "Spanish", "she", true, "Chelsea"},
	}
}
