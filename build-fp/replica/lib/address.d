build-fp/replica/lib/address.o: replica/lib/address.c \
 replica/lib/address.h
replica/lib/address.h:
