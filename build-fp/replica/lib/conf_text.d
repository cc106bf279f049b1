build-fp/replica/lib/conf_text.o: replica/lib/conf_text.c \
 replica/lib/conf_text.h
replica/lib/conf_text.h:
